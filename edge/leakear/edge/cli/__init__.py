"""`leakear-edge`: one program for the node, a subcommand for each thing a person does with it."""

import sys
from collections.abc import Sequence

from leakear.edge.command_line import Program

HELP = """\
Hears water leaks: listens in 10-second windows, scores each, publishes alerts over MQTT.

  leakear-edge setup                       from nothing to a configuration that was tried
  leakear-edge devices                     which microphones are there
  leakear-edge listen                      level, spectrum and score while you mount the sensor
  leakear-edge config example > my.toml    an annotated configuration
  leakear-edge check --config my.toml      is everything ready? each finding with its remedy
  leakear-edge run --config my.toml        the daemon
  leakear-edge replay night.wav            what the daemon would have decided on a recording

Exit codes: 0 done, 2 wrong usage, 65 unusable recording, 69 broker never reached in a bounded run,
78 configuration or model, 1 anything else.
"""

COMMANDS = {
    "run": ("leakear.edge.cli.run", "listen, score, decide, publish: the daemon"),
    "replay": ("leakear.edge.cli.replay.command", "run recordings through the same daemon"),
    "devices": ("leakear.edge.cli.devices", "list the sound devices"),
    "listen": ("leakear.edge.cli.listen", "live level, spectrum and score in the terminal"),
    "check": ("leakear.edge.cli.check", "is everything ready? each finding with a remedy"),
    "calibrate": ("leakear.edge.cli.calibrate", "learn threshold and level gate from quiet hours"),
    "bench": ("leakear.edge.cli.bench", "time and memory of a window on this machine"),
    "setup": ("leakear.edge.cli.setup.command", "ask for everything, try it, write the configuration"),
    "config": ("leakear.edge.cli.config", "write, check or show a configuration"),
    "deploy": ("leakear.edge.cli.models.deploy", "bring a signed model to nodes over MQTT"),
    "rollback": ("leakear.edge.cli.models.rollback", "use a model again that was in use before, here or elsewhere"),
    "inspect": ("leakear.edge.cli.inspect", "what a model file holds"),
    "simulate-fleet": ("leakear.edge.cli.simulate_fleet", "many simulated nodes, to load a broker or a dashboard"),
}
"""Subcommand → module and one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; return its exit code."""
    return Program("leakear-edge", HELP, COMMANDS).run(sys.argv[1:] if argv is None else argv)
