"""`leakear-train`: the workstation's command line. Each subcommand is a module, imported only when it is called."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from types import MappingProxyType

from leakear.edge.errors import LeakearError

COMMANDS = MappingProxyType(
    {
        "fit": ("leakear.train.fit", "train a network on labelled recordings"),
        "crossval": ("leakear.train.crossval", "cross-validate networks and baselines by site, with intervals"),
        "compare": ("leakear.train.compare", "the reference notebook's experiment: linear or mel, its network or ours"),
        "simulate": ("leakear.train.simulate", "make the sound of leaks and of everything that is none"),
        "nodedays": ("leakear.train.nodedays", "false alarms and delays over simulated days of a node"),
        "factory": ("leakear.train.factory", "the recipe of the model that every node starts with"),
        "evaluate": ("leakear.train.evaluate", "alerts of a model file over recordings"),
    }
)
"""name → (module, one line). A module offers HELP (its description), add_arguments(parser), main(args) → exit code."""

_EPILOG = """\
examples:
  leakear-train fit recordings/                      class folders, or recordings/manifest.csv with sites
  leakear-train fit recordings/ --split file --preset reference --batch-size 8
                                                     the reference notebook, as far as memory goes
  leakear-train crossval recordings/ --preset compact
  leakear-train simulate clips/ --sites 200 && leakear-train fit clips/
  leakear-convert runs/compact-site-42 -o model.tflite
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; errors become one sentence on standard error and their exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up chatter
    logging.basicConfig(format="leakear-train: %(message)s", level=logging.INFO)
    try:
        args = _parser(arguments).parse_args(arguments)
        code = args.main(args)
    except LeakearError as error:
        print(f"leakear-train: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("leakear-train: interrupted; the same command goes on where this one stopped", file=sys.stderr)
        return 130
    assert isinstance(code, int)
    return code


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leakear-train",
        description="Train leak detectors on recordings and on simulated sound, and say honestly how good they are.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    for name, (module, line) in COMMANDS.items():
        command = commands.add_parser(name, help=line, formatter_class=argparse.RawDescriptionHelpFormatter)
        if name == wanted:  # TensorFlow takes seconds to import: only what was asked for is loaded
            loaded = importlib.import_module(module)
            command.description = loaded.HELP
            loaded.add_arguments(command)
            command.set_defaults(main=loaded.main)
    return parser
