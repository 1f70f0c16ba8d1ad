"""`leakear-convert`: converts a trained network into a verified model file; tools for such files."""

import sys
from collections.abc import Sequence
from pathlib import Path

from leakear.edge.command_line import Program
from leakear.edge.errors import UsageError

HELP = """\
Converts a trained network into the model file of a node, and checks that it computes the same there.

  leakear-convert RUN -o leak.tflite                 a run folder of leakear-train, in int8
  leakear-convert my.keras --spec my.json -o my.tflite   another network (leakear-convert convert --help)
  leakear-convert RUN -o leak.tflite --mode int16x8 --report report/
  leakear-convert inspect leak.tflite                show the description in a model file
  leakear-convert verify leak.tflite                 hash, golden vector on every installed runtime
  leakear-convert sign leak.tflite --key private.pem sign, so that nodes can refuse other files
  leakear-convert diff old.tflite new.tflite         what changed

Exit codes: 0 done, 2 wrong usage, 65 unusable input, 78 a model that is refused, 1 anything else.
"""

COMMANDS = {
    "convert": ("leakear.convert.command", "convert a network; the word convert may be left out"),
    "inspect": ("leakear.edge.cli.inspect", "show the description in a model file"),
    "verify": (
        "leakear.convert.verifying.check",
        "check hash, golden vector on every installed runtime, and signature",
    ),
    "sign": ("leakear.convert.sign", "sign a model file, or make a pair of keys"),
    "diff": ("leakear.convert.verifying.diff", "show what changed from one model file to another"),
}
"""Subcommand → module and one line; "convert" is the default."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    first = arguments[0] if arguments else "-"
    if not first.startswith("-") and first not in COMMANDS and "-o" not in arguments and not Path(first).exists():
        print(f"leakear-convert: {first} is neither a command ({', '.join(COMMANDS)}) nor there", file=sys.stderr)
        return UsageError.exit_code
    if arguments and arguments[0] not in (*COMMANDS, "-h", "--help", "--version"):
        arguments.insert(0, "convert")
    return Program("leakear-convert", HELP, COMMANDS, extra="convert").run(arguments)


if __name__ == "__main__":
    sys.exit(main())
