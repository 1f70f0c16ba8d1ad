"""Reads positions of nodes from a table: columns site, node, latitude, longitude, in any order."""

from __future__ import annotations

import csv
import io

from leakear.dashboard.map.given import Given, placed
from leakear.dashboard.map.projection import System
from leakear.edge.errors import InputDataError

_NAMES = {
    "site": ("site", "local"),
    "node": ("node", "nó", "no", "sensor", "logger"),
    "x": ("longitude", "lon", "lng", "x", "east", "easting"),
    "y": ("latitude", "lat", "y", "north", "northing"),
}


def read(text: str, system: System) -> Given:
    """Return the nodes of a table separated by commas, semicolons or tabs. Raises InputDataError with the line."""
    first = text.lstrip("\ufeff").partition("\n")[0]
    separator = max(";\t,", key=first.count)
    rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff")), delimiter=separator))
    columns = _columns([name.strip().lower() for name in rows[0]] if rows else [])
    found = [(number, row) for number, row in enumerate(rows[1:], 2) if any(cell.strip() for cell in row)]
    coordinates = [tuple(_number(row, columns[axis], number) for axis in "xy") for number, row in found]
    unproject = system.unproject([(x, y) for x, y in coordinates])
    given = Given()
    for (number, row), (x, y) in zip(found, coordinates, strict=True):
        site, node = (row[columns[name]] if columns[name] < len(row) else "" for name in ("site", "node"))
        given.placed.append(placed(site, node, unproject(x, y), f"Line {number}"))
    if not given.placed:
        raise InputDataError("The table has no lines: give one for each node.")
    return given


def _columns(header: list[str]) -> dict[str, int]:
    found = {
        wanted: next((i for i, name in enumerate(header) if name in names), None) for wanted, names in _NAMES.items()
    }
    missing = [_NAMES[name][0] for name, column in found.items() if column is None]
    if missing:
        raise InputDataError(f"The table has no column {', '.join(missing)}: its first line names the columns.")
    return {name: column for name, column in found.items() if column is not None}


def _number(row: list[str], column: int, number: int) -> float:
    try:
        return float(row[column].strip().replace(",", "."))
    except (ValueError, IndexError):
        raise InputDataError(f"Line {number} has no number for its place: write degrees, such as -23.55.") from None
