"""`leakear-edge run`: the daemon, as systemd starts it."""

import argparse
import logging
import signal
import time
from pathlib import Path

from leakear.edge.audio.capture import Capture
from leakear.edge.clock import Clock
from leakear.edge.compose import log_to_stderr, open_node
from leakear.edge.errors import LeakearError
from leakear.edge.node.node import Node
from leakear.edge.node.reload import reload
from leakear.edge.settings import SYSTEM_FILE, Settings, file_in_use

HELP = f"""\
Listen, score, decide and publish, for years. Started by systemd; stops cleanly on SIGTERM, reads its configuration
again on SIGHUP without losing a window.

  leakear-edge run --config leakear.toml

Without --config it reads {SYSTEM_FILE} when that exists.
"""

log = logging.getLogger("leakear.run")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--config", type=Path, help="configuration file (TOML)")


def main(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    path = file_in_use(args.config)
    settings = Settings.load(path)
    log_to_stderr(settings.log.level)
    with open_node(settings, Clock()) as node:
        _listen(node, path)
    return 0


def _listen(node: Node, path: Path | None) -> None:
    """Hear the microphone until SIGTERM."""
    with Capture(node.settings.audio, node.model.info.spec) as capture:
        node.capture = capture.status
        capture.idle = lambda: node.idle(time.monotonic(), time.time())
        _stop_on_signals(node, capture)
        _reload_on_hangup(node, path)
        log.info("leakear-edge runs: %s", node.settings.node.identity.topic(""))
        node.run(capture, live=time.monotonic)


def _stop_on_signals(node: Node, capture: Capture) -> None:
    def stop(*_: object) -> None:
        node.stopping = True
        capture.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def _reload_on_hangup(node: Node, path: Path | None) -> None:
    """Note SIGHUP in the handler; read the file between two windows."""
    asked = []
    signal.signal(signal.SIGHUP, lambda *_: asked.append(True))

    def ticker(_: float) -> None:
        if asked:
            asked.clear()
            node.notifier.reloading()
            try:
                reload(node, Settings.load(path))
            except LeakearError as error:  # a bad file must not stop a node that works
                log.error("configuration not reloaded, the old one stays in force: %s", error)  # noqa: TRY400
            node.notifier.ready()

    node.tickers.append(ticker)
