"""Nodes on the map of a city: near ones become one mark, on the server, so that a page is sent only what is in view."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakear.dashboard.fleet import Key
from leakear.dashboard.views.groups import SHOWN

RADIUS, TILE = 72, 256
"""pixels within which nodes become one mark, on tiles of TILE pixels (as `static/map/nodes.js`)"""
LAST_CLUSTERED = 17
"""zoom beyond which each node has its own mark"""
MOST = 2000
"""marks of an answer"""
Box = tuple[float, float, float, float]
"""west, south, east, north, degrees"""


@dataclass(frozen=True, eq=False)
class Spread:
    """Where all nodes are."""

    keys: tuple[Key, ...]
    points: NDArray[np.float64]
    """shape (nodes, 2): longitude and latitude, degrees"""

    @cached_property
    def places(self) -> dict[Key, tuple[float, float]]:
        """Each node's longitude and latitude."""
        return dict(zip(self.keys, map(tuple, self.points.tolist()), strict=True))

    @property
    def box(self) -> list[float] | None:
        """The smallest box that holds all; None: there are none."""
        return [*self.points.min(0).tolist(), *self.points.max(0).tolist()] if len(self.keys) else None


def clusters(spread: Spread, kinds: NDArray[np.int8], box: Box, zoom: int) -> list[dict[str, Any]]:
    """Return marks: place, how many nodes, word and tile of the worst, and which node the worst is.

    `kinds`: shape (nodes, 2), tile (`groups.GROUPS`) and word (`groups.SHOWN`) of each node.
    """
    west, south, east, north = box
    longitude, latitude = spread.points.T
    inside = np.flatnonzero((longitude >= west) & (longitude <= east) & (latitude >= south) & (latitude <= north))
    longitude, latitude, tiles = longitude[inside], latitude[inside], kinds[inside, 0]
    numbers = _cells(longitude, latitude, zoom) if zoom <= LAST_CLUSTERED else np.arange(len(inside))
    cells, number, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    by_rank = np.lexsort((tiles, number))
    worst = by_rank[np.searchsorted(number[by_rank], np.arange(len(cells)))]
    means = [np.bincount(number, values, len(cells)) / counts for values in (longitude, latitude)]
    return [
        {
            "id": int(cells[n]), "count": int(counts[n]), "longitude": float(means[0][n]),
            "latitude": float(means[1][n]), "rank": int(tiles[one]), "name": SHOWN[kinds[inside[one], 1]],
            "key": "/".join(spread.keys[inside[one]]),
        }
        for n, one in enumerate(worst[:MOST].tolist())
    ]  # fmt: skip


def _cells(longitude: NDArray[np.float64], latitude: NDArray[np.float64], zoom: int) -> NDArray[np.int64]:
    """Return the number of the square of each point, on the Web Mercator plane."""
    across = TILE * 2.0**zoom / RADIUS
    sines = np.clip(np.sin(np.radians(latitude)), -0.9999, 0.9999)
    x = (longitude / 360 + 0.5) * across
    y = (0.5 - np.arctanh(sines) / (2 * np.pi)) * across
    return np.asarray(np.floor(x).astype(np.int64) << 24 | np.floor(y).astype(np.int64))
