"""Figures over cases: how often a visit finds a leak, how long it takes, and the water lost. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

from leakear.dashboard.cases.changes import FOUND

Case = Mapping[str, Any]


def figures(cases: Iterable[Case]) -> dict[str, Any]:
    """Return the figures. Times in seconds, water in m³ as [lowest, highest]; None: nothing to count."""
    known = list(cases)
    visited = [case for case in known if case["visited"] is not None]
    found = [case for case in visited if case["outcome"] == FOUND]
    false = [case for case in visited if case["outcome"] != FOUND]
    repaired = [case for case in known if case["repaired"] is not None]
    return {
        "cases": len(known),
        "open": sum(case["closed"] is None for case in known),
        "visited": len(visited),
        "found": len(found),
        "precision": len(found) / len(visited) if visited else None,
        "time_to_visit": _median(case["visited"] - case["opened"] for case in visited),
        "time_to_repair": _median(case["repaired"] - case["opened"] for case in repaired),
        "water": _water(repaired),
        "reopened": sum(case["reopened"] for case in known),
        "false_by_node": dict(Counter(f"{case['site']}/{case['node']}" for case in false).most_common()),
        "false_by_kind": dict(Counter(case["outcome"] for case in false).most_common()),
    }


def water_lost(case: Case) -> tuple[float, float] | None:
    """Return the water lost until the repair, m³, lowest and highest: flow (m³/h) times the time since suspected."""
    if case["repaired"] is None or case["flow_low"] is None or case["flow_high"] is None:
        return None
    hours = max(0.0, case["repaired"] - case["since"]) / 3600
    return case["flow_low"] * hours, case["flow_high"] * hours


def _water(cases: Iterable[Case]) -> list[float] | None:
    lost = [water for case in cases if (water := water_lost(case)) is not None]
    return [sum(low for low, _ in lost), sum(high for _, high in lost)] if lost else None


def _median(values: Iterable[float]) -> float | None:
    known = [max(0.0, value) for value in values]
    return median(known) if known else None
