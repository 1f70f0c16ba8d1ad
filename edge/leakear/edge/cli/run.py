"""`leakear-edge run`: the daemon, as systemd starts it."""

import argparse
import logging
import os
import signal
import time
from pathlib import Path

from leakear.edge.audio.capture import Capture, CaptureStatus
from leakear.edge.clock import Clock
from leakear.edge.compose import open_node
from leakear.edge.node.node import Node
from leakear.edge.node.sleep.sleeper import Sleeper
from leakear.edge.node.systemd import log_to_stderr
from leakear.edge.recording.clock_bound import ClockBound
from leakear.edge.settings import SYSTEM_FILE, NodeOptions, Settings, file_in_use, unheard_hours

HELP = f"""\
Listen, score, decide and publish, for years. Started by systemd; stops cleanly on SIGTERM, reads its configuration
again on SIGHUP without losing a window.

  leakear-edge run --config leakear.toml

Without --config it reads {SYSTEM_FILE} when that exists.
"""

log = logging.getLogger("leakear.run")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--config", type=Path, help=f"configuration file (TOML); default {SYSTEM_FILE} when it exists")


def main(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    os.umask(0o077)  # what a node writes, sound included, is its own business, outside of its unit too
    path = file_in_use(args.config)
    settings = Settings.load(path)
    log_to_stderr(settings.log.level)
    if path is None and settings.node.site == NodeOptions().site:
        log.warning("no configuration is named (--config) and there is no %s: the defaults hold", SYSTEM_FILE)
    for sentence in unheard_hours(settings):
        log.warning("%s", sentence)
    status = CaptureStatus()
    clock = Clock()
    with open_node(settings, clock, capture=status, bound=ClockBound().look) as node:
        _listen(node, settings, status, path, clock)
    return 0


def _listen(node: Node, settings: Settings, status: CaptureStatus, path: Path | None, clock: Clock) -> None:
    """Listen to the microphone in the listening hours, until SIGTERM."""

    def idle() -> None:
        node.idle(time.monotonic(), time.time())

    with Capture(settings.audio, node.detector.model.info.spec, status=status, idle=idle) as capture:
        sleeper = Sleeper(node, clock)
        _stop_on_signals(node, capture, sleeper)
        signal.signal(signal.SIGHUP, lambda *_: node.reloader.ask(lambda: Settings.load(path)))
        log.info("leakear-edge runs: %s", settings.node.identity.topic(""))
        sleeper.run(capture)


def _stop_on_signals(node: Node, capture: Capture, sleeper: Sleeper) -> None:
    def stop(*_: object) -> None:
        node.stop()
        capture.stop()
        sleeper.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
