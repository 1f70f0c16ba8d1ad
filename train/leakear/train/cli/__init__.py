"""`leakear-train`: the command line of training. Each subcommand is a module, imported only when it is called."""

import logging
import os
import sys
from collections.abc import Sequence
from types import MappingProxyType

from leakear.edge.command_line import Program

COMMANDS = MappingProxyType(
    {
        "manifest": ("leakear.train.cli.manifest", "write a table of recordings, to fill in"),
        "inspect": ("leakear.train.cli.inspect", "report on a data set before training"),
        "fit": ("leakear.train.cli.fit", "train a network on labelled recordings"),
        "crossval": ("leakear.train.cli.crossval", "cross-validate networks and baselines by site, with intervals"),
        "compare": (
            "leakear.train.cli.compare",
            "the reference notebook's experiment: linear or mel, its network or ours",
        ),
        "simulate": ("leakear.train.cli.simulate", "make labelled sound of simulated leaks and of other sources"),
        "nodedays": ("leakear.train.cli.nodedays", "false alarms and delays over simulated days of a node"),
        "realdays": ("leakear.train.cli.realdays", "the same over days strung from real recordings"),
        "realism": ("leakear.train.cli.realism", "how far simulated places vary as real ones do"),
        "factory": (
            "leakear.train.cli.factory",
            "train and convert the factory model, which nodes have at installation",
        ),
        "evaluate": ("leakear.train.cli.model.evaluate", "alerts of a model file on recordings"),
        "score": ("leakear.train.cli.model.score", "scores of an archive of recordings, by site and date"),
        "background": ("leakear.train.cli.model.background", "how well a model file tells leaks from other sounds"),
        "gain": ("leakear.train.cli.model.gain", "how far a sensor's gain changes the verdict of a model file"),
    }
)
"""Subcommand → module and one line."""

_EPILOG = """\
examples:
  leakear-train fit recordings/                      class folders, or recordings/manifest.csv with sites
  leakear-train fit recordings/ --split file --preset reference --batch-size 8
                                                     the reference notebook, with a batch that fits in memory
  leakear-train manifest recordings/ > recordings/manifest.csv && leakear-train inspect recordings/
  leakear-train crossval recordings/ --preset compact
  leakear-train simulate clips/ --sites 200 && leakear-train fit clips/
  leakear-convert runs/compact-site-42 -o model.tflite
"""


PROGRAM = Program(
    "leakear-train",
    "Train leak detectors on recordings and simulated sound, and evaluate them.",
    COMMANDS,
    _EPILOG,
    interrupted="interrupted; the same command continues where this one stopped",
    extra="train",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; errors become one sentence on standard error and their exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up messages
    logging.basicConfig(format="leakear-train: %(message)s", level=logging.INFO)
    return PROGRAM.run(sys.argv[1:] if argv is None else argv)
