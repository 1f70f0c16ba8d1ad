"""`leakear-edge`: one program for the node, a subcommand for each thing a person does with it."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from leakear.edge import __version__
from leakear.edge.errors import LeakearError

COMMANDS = {
    "run": "leakear.edge.run",
    "replay": "leakear.edge.replay",
    "devices": "leakear.edge.devices",
    "listen": "leakear.edge.listen",
    "check": "leakear.edge.check",
    "calibrate": "leakear.edge.calibrate",
    "bench": "leakear.edge.bench",
    "config": "leakear.edge.config",
    "inspect": "leakear.edge.inspect",
    "simulate-fleet": "leakear.edge.simulate_fleet",
}
"""Subcommand → module with HELP, add_arguments(parser) and main(args); only the chosen one is imported."""

HELP = """\
Hears water leaks: listens in 10-second windows, scores each, publishes alerts over MQTT.

  leakear-edge devices                     which microphones are there
  leakear-edge listen                      level, spectrum and score while you mount the sensor
  leakear-edge config example > my.toml    an annotated configuration
  leakear-edge check --config my.toml      is everything ready? each finding with its remedy
  leakear-edge run --config my.toml        the daemon
  leakear-edge replay night.wav            what the daemon would have said of a recording

Exit codes: 0 done, 2 wrong usage, 65 unusable recording, 69 broker never reached in a bounded run,
78 configuration or model, 1 anything else.
"""


def _module(name: str) -> ModuleType:
    return importlib.import_module(COMMANDS[name])


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Build the parser; only the chosen subcommand is imported and filled in."""
    parser = argparse.ArgumentParser(
        prog="leakear-edge", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"leakear-edge {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        if name == chosen:
            module = _module(name)
            child = commands.add_parser(
                name, help=module.HELP, description=module.HELP, formatter_class=argparse.RawDescriptionHelpFormatter
            )
            module.add_arguments(child)
        else:
            commands.add_parser(name, help=_SUMMARY[name])
    return parser


_SUMMARY = {
    "run": "listen, score, decide, publish: the daemon",
    "replay": "put recordings through the very same daemon",
    "devices": "list the sound devices",
    "listen": "live level, spectrum and score in the terminal",
    "check": "is everything ready? each finding with a remedy",
    "calibrate": "learn threshold and level gate from quiet hours",
    "bench": "what a window costs on this machine",
    "config": "write, check or show a configuration",
    "inspect": "what a model file holds",
    "simulate-fleet": "many simulated nodes, to load a broker or a dashboard",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in arguments if word in COMMANDS), None)
    args = build_parser(chosen).parse_args(arguments)
    try:
        return int(_module(args.command).main(args))
    except LeakearError as error:
        print(f"leakear-edge: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
