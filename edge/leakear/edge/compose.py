"""Put a node together from its settings, and take it apart again."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from leakear.edge.mqtt.homeassistant import introduce
from leakear.edge.mqtt.link import Link
from leakear.edge.node.allocator import return_large_buffers
from leakear.edge.node.node import Node, TimeKeeper
from leakear.edge.outbox.queue import Outbox
from leakear.edge.remote.handlers import NodeControls
from leakear.edge.remote.model_store import ModelStore
from leakear.edge.settings import Settings


def log_to_stderr(level: str) -> None:
    """Send log lines to standard error with the priorities journald reads (sd-daemon(3): `<4>…`)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JournalFormatter("%(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class _JournalFormatter(logging.Formatter):
    """Prefixes the syslog priority where journald listens."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if not _under_journald():
            return text
        priority = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4}.get(record.levelno, 3)
        return f"<{priority}>{text}"


def _under_journald() -> bool:
    import os

    return "JOURNAL_STREAM" in os.environ


@contextmanager
def open_node(
    settings: Settings, clock: TimeKeeper, *, connect: bool = True, monotonic: Callable[[], float] = time.monotonic
) -> Iterator[Node]:
    """Yield a node ready to run; its link is stopped and its outbox closed at the end, whatever happens.

    `monotonic` is the outbox's clock: a simulated day brings its own.
    Raises ConfigError and ModelError before anything is started.
    """
    store = ModelStore(settings.node.directory / "models", settings.model)
    model = store.load()
    return_large_buffers()
    with ExitStack() as stack:
        outbox = stack.enter_context(Outbox(settings.node.directory / "outbox.db", settings.outbox, monotonic))
        link = Link(settings.mqtt, settings.node.identity, outbox) if connect else None
        node = Node(settings, model, outbox, link, clock=clock)
        if link:
            stack.callback(link.stop)
            node.starters.append(NodeControls.attach(node, store).model_control.announce_start)
            introduce(node)
        yield node
