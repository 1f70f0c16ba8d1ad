"""Stretches between two nodes, and what was located on them, as lines of the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leakear.dashboard.fleet import Key
from leakear.dashboard.history import Row
from leakear.dashboard.map.coverage import Graph, along, stretch
from leakear.dashboard.map.projection import Point
from leakear.dashboard.pipes.store import ends

LONGER = 1.3
"""A way along the network is taken for the pipe between two nodes up to this many times its stated length."""
ROUTED = 300
"""stretches whose way is looked for: those with a position first; the rest are drawn straight"""


def stretches(rows: Sequence[Row], last: Mapping[str, Row], places: Mapping[Key, Point], graph: Graph) -> list[Row]:
    """Return each stretch both of whose nodes have a position. `rows`: pipes, `last`: the newest result of each."""
    drawn = [row for row in rows if all(key in places for key in ends(row))]
    drawn.sort(key=lambda row: _position(last.get(row["id"])) is None)
    return [_one(row, last.get(row["id"]), places, graph if i < ROUTED else None) for i, row in enumerate(drawn)]


def _one(row: Row, result: Row | None, places: Mapping[Key, Point], graph: Graph | None) -> Row:
    a, b = (places[key] for key in ends(row))
    way = graph.way(a, b, LONGER * row["length"]) if graph is not None else None
    line = way or [a, b]
    shown: Row = {
        "id": row["id"], "a": "/".join(ends(row)[0]), "b": "/".join(ends(row)[1]), "length": row["length"],
        "material": row["material"], "line": line, "routed": way is not None, "leak": None,
    }  # fmt: skip
    position = _position(result)
    if result is not None and position is not None:
        shown["leak"] = _leak(line, row["length"], position, result)
    return shown


def _leak(line: list[Point], length: float, position: float, result: Row) -> dict[str, Any]:
    """Return where a leak lies. Shares of the stated length are shares of the drawn line: a map is not measured."""
    low, high = result["result"].get("interval_95_m") or (position, position)
    return {
        "location": result["id"], "heard": result["heard"], "position_m": position, "interval_95_m": [low, high],
        "place": along(line, [position / length])[0], "line": stretch(line, low / length, high / length),
    }  # fmt: skip


def _position(result: Row | None) -> float | None:
    if result is None or result["state"] != "done":
        return None
    found: float | None = result["result"].get("position_m")
    return found
