"""Stored events as dictionaries: column name → value."""

import json
from collections.abc import Mapping
from typing import Any

ALARMS = ("LEAK", "SENSOR_FAULT")
"""states a person must look at"""
LOST, BACK = "lost", "back"
"""kinds of event that the dashboard itself writes: a node became silent, a node is back"""

NIGHT = "night"
"""kind of the event that carries a night; in a row, the night itself"""

Row = dict[str, Any]


def public(row: Mapping[Any, Any]) -> Row:
    """Return a stored event in the form for the page."""
    return {name: value for name, value in row.items() if name != NIGHT} | {"faults": json.loads(row["faults"])}


def fresh(row: Mapping[Any, Any]) -> Row:
    """Return a new event in the form for the page: people have not edited it yet."""
    edited = dict.fromkeys(("acknowledged", "acknowledged_by", "verdict", "verdict_by", "verdict_at"))
    return public(row) | edited | {"material": "", "note": "", "clips": []}
