"""A restart is not a new life: what the node knew and what was set from afar goes on."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from leakear.edge.errors import ConfigError
from leakear.edge.node import detector
from leakear.edge.node.remote_settings import Memory

if TYPE_CHECKING:
    from leakear.edge.node.node import Node, TimeKeeper

log = logging.getLogger("leakear.node")


def snapshot(node: "Node") -> dict[str, Any]:
    """Return what must survive a restart, as JSON."""
    return {
        "utc": node.now[1],
        "clock_synced": node.clock.look(),
        "boot": node.clock.boot(),
        "pipeline": node.pipeline.snapshot(),
        "memory": asdict(node.memory),
        "life": node.lives.snapshot(node.now[0], stopped=node.closed),
        **node.news.snapshot(),
    }


def recall(node: "Node") -> None:
    """Take up what was set from afar, before anything is heard."""
    _take_up(node, node.outbox.load_state())


def recall_late(node: "Node") -> None:
    """Take up what a disk gives back that could not be read at the start. What was heard and set since then counts."""
    saved = node.outbox.take_late_state()
    if not saved:
        return
    log.warning("what the node remembered could be read only now: it is taken up")
    if node.memory == Memory():
        _take_up(node, saved)
    with suppress(KeyError, TypeError, ValueError):
        node.pipeline.restore({name: part for name, part in saved["pipeline"].items() if name != "decision"}, 0, 0)
    node.save()


def _take_up(node: "Node", saved: Mapping[str, Any]) -> None:
    node.memory = Memory.recall(saved.get("memory", {}))
    if node.memory.step_s is not None:
        try:
            detector.refit(node)
        except ConfigError as error:
            log.warning("the step that was set from afar no longer fits (%s): the configured one is used", error)
            node.memory.step_s = None
    detector.apply_memory(node)


def go_on(node: "Node", monotonic: float, utc: float) -> None:
    """Go on where the last run ended, as far as the clocks can tell how long ago that was."""
    node.news.since_utc = utc
    saved = node.outbox.load_state()
    try:
        node.lives.begin(saved.get("life"), monotonic)
        if not saved:
            return
        gap_s = _gap_s(node.clock, saved, utc)
        if gap_s is None:
            log.warning("nobody knows how long the node was off: it keeps what it believed, and listens anew")
        pipeline = saved["pipeline"] if gap_s is not None else _undated(saved["pipeline"])
        node.pipeline.restore(pipeline, monotonic, gap_s or 0.0)
        node.news.restore(saved)
    except (KeyError, TypeError, ValueError) as error:
        log.warning("the node's memory of its last run is unusable (%s): it starts anew", error)


def _gap_s(clock: "TimeKeeper", saved: Mapping[str, Any], utc: float) -> float | None:
    """Seconds since this was saved; None when no clock can tell. Raises KeyError, TypeError or ValueError.

    Within one boot the kernel counts, sleep included. Over a boot only wall clocks that were synchronised both times
    can: a board without a battery wakes up where it was switched off, and a day without power would be no time at all.
    """
    here, there = clock.boot(), saved.get("boot")
    if here is None:
        return max(0.0, utc - float(saved["utc"]))
    if there and there[0] and there[0] == here[0]:
        return max(0.0, here[1] - float(there[1]))
    return max(0.0, utc - float(saved["utc"])) if clock.look() and saved.get("clock_synced") else None


def _undated(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a snapshot what holds whenever it was: what was believed, and what is usual."""
    return {**pipeline, "decision": {**pipeline["decision"], "marks": [], "age_s": 0.0}}
