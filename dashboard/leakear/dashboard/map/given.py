"""What a file or a person says of places and pipes, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from leakear.dashboard.fleet import Key
from leakear.dashboard.map.projection import Point, checked, length_of
from leakear.edge.errors import ConfigError, InputDataError
from leakear.edge.fields import UNUSABLE
from leakear.edge.messages.reports import Identity

SHORT = 80
"""characters of a name"""


@dataclass(frozen=True)
class Placed:
    """A node's place."""

    key: Key
    place: Point
    accuracy: float | None = None
    """m"""


@dataclass(frozen=True)
class NetworkPipe:
    """A pipe of the town."""

    name: str
    line: tuple[Point, ...]
    length: float
    """m"""
    diameter: float | None = None
    """mm, inner"""
    roughness: float | None = None
    """of the file's headloss formula"""
    material: str = ""
    """one of `materials.SPACING_M`"""
    said: str = ""
    """the file's word for it"""
    start: str = ""
    end: str = ""
    """names of its ends, where the file has them"""


@dataclass
class Given:
    """What a file holds."""

    placed: list[Placed] = field(default_factory=list)
    pipes: list[NetworkPipe] = field(default_factory=list)
    left_out: int = 0
    """things of other kinds: valves, pumps, polygons"""


def placed(site: Any, node: Any, place: tuple[Any, Any], what: str, accuracy: Any = None) -> Placed:
    """Return a node's place from what was sent. Raises InputDataError, which names `what` it is of."""
    if not isinstance(site, str) or not isinstance(node, str):
        raise InputDataError(f"{what} names no node: give site and node.")
    try:
        who = Identity(site.strip(), node.strip())
    except ConfigError as error:
        raise InputDataError(f"{what}: {error}") from error
    metres = accuracy if isinstance(accuracy, int | float) and not isinstance(accuracy, bool) else None
    return Placed((who.site, who.node), checked(*place, what), None if metres is None else float(metres))


def line_of(points: list[Any], what: str) -> tuple[Point, ...]:
    """Return a pipe's line. Raises InputDataError."""
    if len(points) < 2 or not all(isinstance(point, list | tuple) and len(point) >= 2 for point in points):
        raise InputDataError(f"{what} has no line of two or more points: leave it out.")
    line = tuple(checked(point[0], point[1], what) for point in points)
    if length_of(list(line)) <= 0:
        raise InputDataError(f"{what} has both ends at one place: leave it out.")
    return line


def short(value: Any) -> str:
    """Return a name of a file as it can be stored."""
    return UNUSABLE.sub("", str(value if value is not None else "")).strip()[:SHORT]
