"""What is wrong in a fleet, node by node. Pure: from the live state of the nodes."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from leakear.dashboard.fleet.node import OFFLINE, STALE, Key, Node

DRIFT_DB = 6.0
"""noise floor against its long mean from which a node drifts"""
DISK_BYTES = 200 * 2**20
"""room on the disk below which it is almost full"""
KINDS = ("deaf", "silent", "drifting", "learning", "clock", "power", "disk", "queue")
POWER = ("restarts_often",)
"""faults that speak of supply or battery; a node has no gauge of its battery"""
ELSEWHERE = ("restarts_often", "clock_jumped", "clipping")


def problems(nodes: Iterable[Node]) -> dict[str, list[tuple[Key, str]]]:
    """Return for each kind of problem the nodes that have it, each with a figure or the names of its faults."""
    found: dict[str, list[tuple[Key, str]]] = {kind: [] for kind in KINDS}
    for node in sorted(nodes, key=lambda node: node.key):
        for kind, why in _of(node):
            found[kind].append((node.key, why))
    return found


def versions(nodes: Iterable[Node]) -> dict[str, int]:
    """Return how many nodes run each firmware and each model, the most common first."""
    names = [f"{kind} {name}" for node in nodes if node.report
             for kind, name in (("leakear", node.report.firmware), ("model", node.report.model.id))]  # fmt: skip
    return dict(Counter(names).most_common())


def _of(node: Node) -> Iterable[tuple[str, str]]:
    report, health = node.report, node.telemetry
    if node.presence in (STALE, OFFLINE):
        seen = node.last_seen
        yield "silent", "" if seen is None else f"{datetime.fromtimestamp(seen, UTC):%Y-%m-%d %H:%M} UTC"
    faults = list(report.faults) if report else []
    deaf = [fault for fault in faults if fault not in ELSEWHERE]
    if deaf or node.state == "SENSOR_FAULT":
        yield "deaf", ", ".join(deaf)
    if set(faults) & set(POWER):
        yield "power", ", ".join(sorted(set(faults) & set(POWER)))
    if report and not report.clock_synced:
        yield "clock", ""
    if report and report.learning and report.learning.may_say != "all":
        yield "learning", str(report.learning.nights_known)
    drift = health.noise_floor_drift_db if health else None
    if drift is not None and abs(drift) >= DRIFT_DB:
        yield "drifting", f"{drift:+.1f} dB"
    if health and health.disk_free_bytes is not None and health.disk_free_bytes < DISK_BYTES:
        yield "disk", f"{health.disk_free_bytes >> 20} MiB"
    if node.head()["waits"]:
        yield "queue", str(node.queue)


def to_json(nodes: list[Node]) -> dict[str, Any]:
    """Return it for the page."""
    found = {kind: [[*key, why] for key, why in rows] for kind, rows in problems(nodes).items()}
    return {"nodes": len(nodes), "problems": found, "versions": versions(nodes)}
