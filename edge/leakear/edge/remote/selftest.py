"""Self-test: checks model, sensor, disk, clock and delivery. Each check gives one sentence."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from leakear.edge.errors import LeakearError
from leakear.edge.messages.results import Check, SelftestResult
from leakear.edge.model.tflite import Model
from leakear.edge.node.status import NodeStatus

FREE_BYTES = 50 * 1024**2
"""Less free space than this endangers outbox and evidence."""


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
    try:
        model = reload()
    except LeakearError as error:
        return _check("model", ok=False, detail=str(error))
    return _check("model", ok=True, detail=f"{model.info.model_id} computes its golden vector")


def _sensor(status: NodeStatus) -> Check:
    last = status.last
    if last is None:
        return _check("sensor", ok=False, detail="no window has come yet")
    level = f"{last.health.level_dbfs:.1f} dBFS" if last.health else "no level"
    if status.mono_microphone:
        level += "; all channels carry the same sound: it is a mono microphone"
    return _check("sensor", not last.faults, ", ".join(last.faults) or level)


def _disk(directory: Path) -> Check:
    try:
        free, writable = shutil.disk_usage(directory).free, os.access(directory, os.W_OK)
    except OSError as error:
        return _check("disk", ok=False, detail=f"{directory}: {error.strerror}")
    return _check(
        "disk", free > FREE_BYTES and writable, f"{free // 1024**2} MiB free{'' if writable else ', read-only'}"
    )


def _check(name: str, ok: bool, detail: str) -> Check:
    return Check(name=name, ok=ok, detail=detail[:300])
