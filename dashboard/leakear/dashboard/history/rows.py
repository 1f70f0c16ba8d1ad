"""Stored events as dictionaries: column name → value."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

ALARMS = ("LEAK", "SENSOR_FAULT")
"""states a person must look at"""
LOST, BACK = "lost", "back"
"""kinds of event that the dashboard itself writes: a node became silent, a node is back"""

NIGHT = "night"
"""kind of the event that carries a night; in a row, the night itself"""

QUIET = "quiet"
"""in a row: the quiet time during which the event came, or the mute, if it was held back because of it"""

MUTE = "mute"
"""under QUIET: what holds back the events of a muted node, as a kind beside those of quiet times"""

Row = dict[str, Any]
T = TypeVar("T")
PART = 1000
"""rows of one transaction"""


def batched(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield rows in parts, so that storing those of a large fleet never keeps an event waiting for long."""
    for start in range(0, len(rows), PART):
        yield rows[start : start + PART]


def public(row: Mapping[Any, Any]) -> Row:
    """Return a stored event in the form for the page."""
    return {name: value for name, value in row.items() if name != NIGHT} | {"faults": json.loads(row["faults"])}


def fresh(row: Mapping[Any, Any]) -> Row:
    """Return a new event in the form for the page: people have not edited it yet."""
    edited = dict.fromkeys(("acknowledged", "acknowledged_by", "verdict", "verdict_by", "verdict_at"))
    held = "held" if row.get(QUIET) and row["alert"] else None
    return public(row) | edited | {"material": "", "note": "", "clips": [], "held": held, QUIET: row.get(QUIET)}
