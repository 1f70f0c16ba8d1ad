"""A restart is not a new life: what the node knew and what was set from afar goes on."""

import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from leakear.edge import adjustments
from leakear.edge.errors import ConfigError
from leakear.edge.memory import Memory

if TYPE_CHECKING:
    from leakear.edge.daemon import Node

log = logging.getLogger("leakear.node")


def snapshot(node: "Node") -> dict[str, Any]:
    """Return what must survive a restart, as JSON."""
    return {
        "utc": node.now[1],
        "pipeline": node.pipeline.snapshot(),
        "memory": asdict(node.memory),
        **node.news.snapshot(),
    }


def recall(node: "Node") -> None:
    """Take up what was set from afar, before anything is heard."""
    node.memory = Memory.recall(node.outbox.load_state().get("memory", {}))
    if node.memory.step_s is not None:
        try:
            adjustments.refit(node)
        except ConfigError as error:
            log.warning("the step that was set from afar no longer fits (%s): the configured one is used", error)
            node.memory.step_s = None
    adjustments.apply_memory(node)


def go_on(node: "Node", monotonic: float, utc: float) -> None:
    """Go on where the last run ended, as far as the clocks can tell how long ago that was."""
    node.news.since_utc = utc
    saved = node.outbox.load_state()
    if not saved:
        return
    try:
        gap_s = max(0.0, utc - float(saved["utc"]))
        node.pipeline.restore(saved["pipeline"], monotonic, gap_s)
        node.news.restore(saved)
    except (KeyError, TypeError, ValueError) as error:
        log.warning("the node's memory of its last run is unusable (%s): it starts anew", error)
