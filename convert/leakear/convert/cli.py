"""`leakear-convert`: a trained network becomes one verified model file, and tools for such files."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from leakear.edge import __version__
from leakear.edge.errors import LeakearError

COMMANDS = {
    "convert": "leakear.convert.command",
    "inspect": "leakear.edge.inspect",
    "verify": "leakear.convert.check",
    "sign": "leakear.convert.sign",
    "diff": "leakear.convert.diff",
}
"""Subcommand → module with HELP, add_arguments(parser) and main(args); "convert" is what stands for no subcommand."""

HELP = """\
Turns a trained network into the one file that a node needs, and proves that it works there.

  leakear-convert RUN -o leak.tflite                 a run folder of leakear-train, in int8
  leakear-convert my.keras --spec my.json -o my.tflite   somebody's own network (convert --help shows my.json)
  leakear-convert RUN -o leak.tflite --mode int16x8 --report report/
  leakear-convert inspect leak.tflite                what a model file says of itself
  leakear-convert verify leak.tflite                 hash, golden vector, every runtime that is here
  leakear-convert sign leak.tflite --key private.pem so that nodes can refuse files of others
  leakear-convert diff old.tflite new.tflite         what changed

Exit codes: 0 done, 2 wrong usage, 65 unusable input, 78 a model that is refused, 1 anything else.
"""


def build_parser(chosen: str) -> argparse.ArgumentParser:
    """Build the parser; only the chosen subcommand is imported and filled in."""
    parser = argparse.ArgumentParser(
        prog="leakear-convert", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"leakear-convert {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        if name != chosen:
            commands.add_parser(name, help=_SUMMARY[name])
            continue
        module = _module(name)
        child = commands.add_parser(
            name, help=module.HELP, description=module.HELP, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(child)
    return parser


_SUMMARY = {
    "convert": "convert; the word itself may be left out",
    "inspect": "what a model file says of itself",
    "verify": "hash, golden vector, signature, every runtime that is here",
    "sign": "sign a model file, or make a pair of keys",
    "diff": "what changed from one model file to another",
}


def _module(name: str) -> ModuleType:
    return importlib.import_module(COMMANDS[name])


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] not in (*COMMANDS, "-h", "--help", "--version"):
        arguments.insert(0, "convert")
    try:
        args = build_parser(arguments[0] if arguments else "").parse_args(arguments)
        return int(_module(args.command).main(args))
    except LeakearError as error:
        print(f"leakear-convert: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
