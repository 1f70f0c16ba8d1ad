"""Coordinates of a file as WGS 84 degrees: degrees already, a UTM zone, or a plane put at a place."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from leakear.edge.errors import InputDataError

EARTH_M = 6371008.8
"""m, mean radius"""
_A, _F = 6378137.0, 1 / 298.257223563
_N = _F / (2 - _F)
_RADIUS = _A / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64)
_BETA = (_N / 2 - 2 * _N**2 / 3 + 37 * _N**3 / 96, _N**2 / 48 + _N**3 / 15, 17 * _N**3 / 480)
_DELTA = (2 * _N - 2 * _N**2 / 3 - 2 * _N**3, 7 * _N**2 / 3 - 8 * _N**3 / 5, 56 * _N**3 / 15)
_ZONE = re.compile(r"(?P<zone>[1-9]|[1-5]\d|60)\s*(?P<half>[NS])", re.IGNORECASE)

Point = tuple[float, float]
"""(longitude, latitude), degrees"""
Unproject = Callable[[float, float], Point]


@dataclass(frozen=True)
class System:
    """What the coordinates of a file are."""

    kind: str = "degrees"
    """degrees, utm, or plane: its middle is put at `middle`"""
    zone: str = ""
    """such as 23S"""
    middle: Point = (0.0, 0.0)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Read what a page sent. Raises InputDataError."""
        kind = values.get("kind", "degrees")
        if kind not in ("degrees", "utm", "plane"):
            raise InputDataError("The coordinates are degrees, utm or plane: choose one.")
        zone = str(values.get("zone", "")).strip()
        if kind == "utm" and not _ZONE.fullmatch(zone):
            raise InputDataError(f"There is no UTM zone {zone[:20]!a}: write 1 to 60 with N or S, such as 23S.")
        middle = (values.get("longitude", 0.0), values.get("latitude", 0.0))
        return cls(kind, zone, checked(*middle, "the middle of the map"))

    def unproject(self, points: list[Point], metres: float = 1.0) -> Unproject:
        """Return what turns a file's coordinates into degrees; `points`: all of the file, `metres`: of its unit."""
        if self.kind == "utm":
            found = _ZONE.fullmatch(self.zone)
            assert found is not None
            return utm(int(found["zone"]), south=found["half"].upper() == "S")
        if self.kind == "plane":
            return _plane(points, self.middle, metres)
        return lambda x, y: (x, y)


def checked(longitude: Any, latitude: Any, what: str) -> Point:
    """Return a place. Raises InputDataError, which names `what` it is of."""
    numbers = [
        value for value in (longitude, latitude) if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(numbers) != 2 or not (abs(numbers[0]) <= 180 and abs(numbers[1]) <= 90):
        raise InputDataError(
            f"{what} is not at a longitude of −180 to 180 and a latitude of −90 to 90 degrees: "
            "choose what its coordinates are."
        )
    return float(numbers[0]), float(numbers[1])


def utm(zone: int, *, south: bool) -> Unproject:
    """Return the inverse of the UTM projection on WGS 84, m to degrees. Krüger's series: within 1 mm inside a zone."""
    north_0 = 1e7 if south else 0.0

    def inverse(east: float, north: float) -> Point:
        xi, eta = (north - north_0) / (0.9996 * _RADIUS), (east - 5e5) / (0.9996 * _RADIUS)
        xi_1, eta_1 = xi, eta
        for j, beta in enumerate(_BETA, 1):
            xi_1 -= beta * math.sin(2 * j * xi) * math.cosh(2 * j * eta)
            eta_1 -= beta * math.cos(2 * j * xi) * math.sinh(2 * j * eta)
        chi = math.asin(math.sin(xi_1) / math.cosh(eta_1))
        latitude = chi + sum(delta * math.sin(2 * j * chi) for j, delta in enumerate(_DELTA, 1))
        longitude = math.atan2(math.sinh(eta_1), math.cos(xi_1))
        return zone * 6 - 183 + math.degrees(longitude), math.degrees(latitude)

    return inverse


def _plane(points: list[Point], middle: Point, metres: float) -> Unproject:
    """Return what puts the middle of a plane's box at a place, north up."""
    xs, ys = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
    x_0, y_0 = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    degree = math.radians(EARTH_M)
    shrink = max(math.cos(math.radians(middle[1])), 0.01)

    def inverse(x: float, y: float) -> Point:
        return middle[0] + (x - x_0) * metres / (degree * shrink), middle[1] + (y - y_0) * metres / degree

    return inverse


def length_of(line: list[Point]) -> float:
    """Return the length of a line on the ground, m; within 0.6 % of the ellipsoid."""
    total = 0.0
    for (lon_0, lat_0), (lon_1, lat_1) in pairwise(line):
        shrink = math.cos(math.radians((lat_0 + lat_1) / 2))
        total += math.hypot((lon_1 - lon_0) * shrink, lat_1 - lat_0) * math.radians(EARTH_M)
    return total
