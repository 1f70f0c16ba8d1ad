"""Self-test: checks model, sensor, disk, clock and delivery. Each check gives one sentence."""

from collections.abc import Callable, Iterator
from pathlib import Path

from leakear.edge.messages.results import Check, SelftestResult
from leakear.edge.model.tflite import Model
from leakear.edge.node import checks
from leakear.edge.node.status import NodeStatus


def run(status: NodeStatus, directory: Path, reload: Callable[[], Model]) -> SelftestResult:
    """Check everything now. `directory`: where the node writes; `reload` loads the model in use once more."""
    found = tuple(_checks(status, directory, reload))
    return SelftestResult(passed=all(check.ok for check in found), checks=found)


def _checks(status: NodeStatus, directory: Path, reload: Callable[[], Model]) -> Iterator[Check]:
    yield _model(reload)
    yield _sensor(status)
    yield _disk(directory)
    synced = status.clock_synced
    yield _check("clock", synced, "synchronised" if synced else "not synchronised: order events by seq")
    connected = status.connected
    yield _check("broker", connected, "connected" if connected else "not connected: events wait in the outbox")
    faults = [name for name in status.faults if name.startswith("outbox_")]
    yield _check("outbox", not faults, "; ".join(faults) or f"{status.queue_depth} events wait")


def _model(reload: Callable[[], Model]) -> Check:
    finding, _ = checks.model(reload)
    return _check("model", finding.status == checks.OK, finding.detail)


def _sensor(status: NodeStatus) -> Check:
    last = status.last
    if last is None:
        return _check("sensor", ok=False, detail="no window has come yet")
    level = f"{last.health.level_dbfs:.1f} dBFS" if last.health else "no level"
    if status.mono_microphone:
        level += "; all channels carry the same sound: it is a mono microphone"
    return _check("sensor", not last.faults, ", ".join(last.faults) or level)


def _disk(directory: Path) -> Check:
    found = (checks.space(directory), checks.rights(directory))
    wrong = [finding.detail for finding in found if finding.status != checks.OK]
    return _check("disk", not wrong, "; ".join(wrong) or found[0].detail)


def _check(name: str, ok: bool, detail: str) -> Check:
    return Check(name=name, ok=ok, detail=detail[:300])
