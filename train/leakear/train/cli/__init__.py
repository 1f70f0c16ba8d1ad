"""`leakear-train`: the workstation's command line. Each subcommand is a module, imported only when it is called."""

import logging
import os
import sys
from collections.abc import Sequence
from types import MappingProxyType

from leakear.edge.command_line import Program

COMMANDS = MappingProxyType(
    {
        "fit": ("leakear.train.cli.fit", "train a network on labelled recordings"),
        "crossval": ("leakear.train.cli.crossval", "cross-validate networks and baselines by site, with intervals"),
        "compare": (
            "leakear.train.cli.compare",
            "the reference notebook's experiment: linear or mel, its network or ours",
        ),
        "simulate": ("leakear.train.cli.simulate", "make the sound of leaks and of everything that is none"),
        "nodedays": ("leakear.train.cli.nodedays", "false alarms and delays over simulated days of a node"),
        "factory": ("leakear.train.cli.factory", "the recipe of the model that every node starts with"),
        "evaluate": ("leakear.train.cli.evaluate", "alerts of a model file over recordings"),
    }
)
"""Subcommand → module and one line."""

_EPILOG = """\
examples:
  leakear-train fit recordings/                      class folders, or recordings/manifest.csv with sites
  leakear-train fit recordings/ --split file --preset reference --batch-size 8
                                                     the reference notebook, as far as memory goes
  leakear-train crossval recordings/ --preset compact
  leakear-train simulate clips/ --sites 200 && leakear-train fit clips/
  leakear-convert runs/compact-site-42 -o model.tflite
"""


PROGRAM = Program(
    "leakear-train",
    "Train leak detectors on recordings and on simulated sound, and say honestly how good they are.",
    COMMANDS,
    _EPILOG,
    interrupted="interrupted; the same command goes on where this one stopped",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; errors become one sentence on standard error and their exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up chatter
    logging.basicConfig(format="leakear-train: %(message)s", level=logging.INFO)
    return PROGRAM.run(sys.argv[1:] if argv is None else argv)
