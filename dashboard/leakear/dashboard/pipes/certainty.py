"""How sure an alert is after correlating: a sound between two sensors makes it surer, none between them less sure."""

from collections.abc import Sequence
from dataclasses import dataclass

from leakear.dashboard.history import Row

LAST = 5
"""results of a pipe that are considered, the newest"""
LATELY_S = 7 * 86400.0
"""s before the newest one"""
NOT_BETWEEN = ("coherence", "end", "middle", "pump")
"""refusals that say that no steady sound comes from between the sensors; others say nothing about it"""
RAISED, LOWERED = "raised", "lowered"


@dataclass(frozen=True)
class Certainty:
    """What correlating says of an alert."""

    change: str
    """RAISED or LOWERED"""
    sentence: str
    """why"""


def certainty(a: str, b: str, results: Sequence[Row]) -> Certainty | None:
    """Judge the results of one pipe, the newest first; None when they say nothing. `a`, `b`: names of its nodes."""
    used = [row for row in results if row["state"] == "done" and _speaks(row)]
    used = [row for row in used if used[0]["asked"] - row["asked"] <= LATELY_S][:LAST]
    if not used:
        return None
    located = [row["result"] for row in used if row["result"].get("position_m") is not None]
    alike = [one for one in located if _overlap(one["interval_95_m"], located[0]["interval_95_m"])]
    if 2 * len(alike) > len(used):
        metres = f"{located[0]['position_m']:.1f}"
        return Certainty(
            RAISED,
            f"More certain: a steady sound between {a} and {b} in {len(alike)} of {len(used)} recordings, {metres} m "
            f"from {a}.",
        )
    if located:
        return None
    side = _side(used[0])
    if side:
        name = a if side == "end_a" else b
        return Certainty(
            LOWERED,
            f"Less certain: the sound comes from {name} or beyond it, and not from between {a} and {b}.",
        )
    return Certainty(
        LOWERED,
        f"Less certain: no steady sound between {a} and {b} in {len(used)} recordings, as with a machine beside one "
        "sensor.",
    )


def together(found: Sequence[Certainty]) -> Certainty | None:
    """Judge by several pipes that end at one node: a sound on one of them is enough."""
    return next((one for one in found if one.change == RAISED), None) or next(iter(found), None)


def _speaks(row: Row) -> bool:
    result = row["result"]
    return result.get("position_m") is not None or result.get("refusal") in NOT_BETWEEN


def _side(row: Row) -> str:
    """Return end_a or end_b when the sound comes from there."""
    sources = row["result"].get("sources") or []
    kind = sources[0]["kind"] if row["result"].get("refusal") == "end" and sources else ""
    return kind if kind in ("end_a", "end_b") else ""


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
