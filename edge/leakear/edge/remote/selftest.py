"""The node looks at itself: model, sensor, disk, clock, delivery. Each finding is one sentence."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from leakear.edge.errors import LeakearError
from leakear.edge.messages.results import Check, SelftestResult
from leakear.edge.model.tflite import Model

if TYPE_CHECKING:
    from leakear.edge.node.node import Node

FREE_BYTES = 50 * 1024**2
"""Room below which the outbox and the evidence are in danger."""


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
    try:
        model = reload()
    except LeakearError as error:
        return _check("model", ok=False, detail=str(error))
    return _check("model", ok=True, detail=f"{model.info.model_id} computes its golden vector")


def _sensor(node: "Node") -> Check:
    last = node.last
    if last is None:
        return _check("sensor", ok=False, detail="no window has been heard yet")
    level = f"{last.health.level_dbfs:.1f} dBFS" if last.health else "no level"
    if node.capture and node.capture.duplicated_channels:
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
