"""The node looks at itself: model, sensor, disk, clock, delivery. Each finding is one sentence."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leakear.edge.messages.results import Check, SelftestResult
from leakear.edge.model.tflite import Model
from leakear.edge.node import checks

if TYPE_CHECKING:
    from leakear.edge.node.node import Node


def run(node: "Node", reload: Callable[[], Model]) -> SelftestResult:
    """Look at everything now; `reload` loads the model in use once more."""
    found = tuple(_checks(node, reload))
    return SelftestResult(passed=all(check.ok for check in found), checks=found)


def _checks(node: "Node", reload: Callable[[], Model]) -> Iterator[Check]:
    yield _model(reload)
    yield _sensor(node)
    yield _disk(node.settings.node.directory)
    synced = node.clock.look()
    yield _check("clock", synced, "synchronised" if synced else "not synchronised: order events by seq")
    connected = node.link is not None and node.link.connected
    yield _check("broker", connected, "connected" if connected else "not connected: events wait in the outbox")
    yield _check("outbox", not node.outbox.faults, "; ".join(node.outbox.faults) or f"{node.outbox.depth} events wait")


def _model(reload: Callable[[], Model]) -> Check:
    finding, _ = checks.model(reload)
    return _check("model", finding.status == checks.OK, finding.detail)


def _sensor(node: "Node") -> Check:
    last = node.last
    if last is None:
        return _check("sensor", ok=False, detail="no window has been heard yet")
    level = f"{last.health.level_dbfs:.1f} dBFS" if last.health else "no level"
    if node.capture and node.capture.duplicated_channels:
        level += "; all channels carry the same sound: it is a mono microphone"
    return _check("sensor", not last.faults, ", ".join(last.faults) or level)


def _disk(directory: Path) -> Check:
    found = (checks.space(directory), checks.rights(directory))
    wrong = [finding.detail for finding in found if finding.status != checks.OK]
    return _check("disk", not wrong, "; ".join(wrong) or found[0].detail)


def _check(name: str, ok: bool, detail: str) -> Check:
    return Check(name=name, ok=ok, detail=detail[:300])
