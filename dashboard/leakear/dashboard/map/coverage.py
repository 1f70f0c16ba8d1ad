"""Which stretches of the network a node hears, and the way along pipes between two nodes.

The network is cut into points at most `STEP_M` apart; what is heard is decided between neighbours. A node stands on the
nearest point within `NEAR_M`. It hears as far as its reach in each material (`materials.reach`), along the pipes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from leakear.dashboard.map.given import NetworkPipe
from leakear.dashboard.map.materials import reach
from leakear.dashboard.map.projection import EARTH_M, Point

STEP_M, MOST_POINTS = 5.0, 400_000
NEAR_M = 30.0
"""m between a node's position and its pipe: a map's error and a phone's"""
JOIN_M = 0.5
"""ends of pipes closer than this are one"""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Coverage:
    """What is heard."""

    by_material: dict[str, tuple[float, float]]
    """m of each material, and m of it that are heard"""
    unheard: list[list[Point]]
    """stretches that nobody hears"""


class Graph:
    """The network as points and the pieces between them."""

    def __init__(self, pipes: Sequence[NetworkPipe]) -> None:
        total = sum(pipe.length for pipe in pipes)
        step = max(STEP_M, total / MOST_POINTS)
        self._pipes = pipes
        cut = [_cut(pipe, step) for pipe in pipes]
        self._bounds = np.cumsum([0, *(len(points) for points, _ in cut)])
        self.places: Floats = np.concatenate([points for points, _ in cut]) if cut else np.zeros((0, 2))
        """(points, 2) longitude, latitude"""
        middle = float(self.places[:, 1].mean()) if len(self.places) else 0.0
        self._metres = np.array([math.cos(math.radians(middle)), 1.0]) * math.radians(EARTH_M)
        self._tree = cKDTree(self.places * self._metres) if len(self.places) else None
        self._joined = self._join()
        pieces = [np.arange(low, high - 1) for low, high in zip(self._bounds, self._bounds[1:], strict=False)]
        self._from: Ints = np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
        """the point at which each piece begins; it ends at the next one"""
        self._pipe_of: Ints = np.repeat(np.arange(len(pipes)), [len(piece) for piece in pieces])
        self._lengths: Floats = np.concatenate([lengths for _, lengths in cut]) if cut else np.zeros(0)

    def nearest(self, places: Sequence[Point]) -> Ints:
        """Return the point of the network at each place; −1 where none is near."""
        if self._tree is None or not places:
            return np.full(len(places), -1, np.int64)
        far, found = self._tree.query(np.array(places) * self._metres, distance_upper_bound=NEAR_M)
        return np.where(np.isfinite(far), found, -1)

    def coverage(self, listening: Sequence[Point]) -> Coverage:
        """Return what nodes at these places hear."""
        reaches = np.array([reach(pipe.material) for pipe in self._pipes])
        cost = self._lengths / reaches[self._pipe_of] if len(self._pipes) else self._lengths
        starts = np.unique(self.nearest(listening))
        starts = starts[starts >= 0]
        far = np.full(len(self.places), np.inf)
        if len(starts):
            joined = np.unique(self._joined[starts])
            far = dijkstra(self._matrix(cost), directed=False, indices=joined, min_only=True, limit=1.0)[self._joined]
        heard = np.minimum(far[self._from], far[self._from + 1]) + cost / 2 <= 1.0
        return Coverage(self._sums(heard), list(self._stretches(~heard)))

    def way(self, start: Point, end: Point, longest: float) -> list[Point] | None:
        """Return the shortest way along pipes between two places; None: there is none within `longest` m."""
        ends = self.nearest([start, end])
        if (ends < 0).any():
            return None
        a, b = (int(self._joined[point]) for point in ends)
        far, before = dijkstra(
            self._matrix(self._lengths), directed=False, indices=a, limit=longest, return_predecessors=True
        )
        if a == b or not np.isfinite(far[b]):
            return None
        way = [b]
        while way[-1] != a:
            way.append(int(before[way[-1]]))
        return [_point(self.places[i]) for i in reversed(way)]

    def _matrix(self, weights: Floats) -> csr_array:
        """Return the weights of the pieces between joined points; of parallel pieces the least."""
        low = np.minimum(self._joined[self._from], self._joined[self._from + 1])
        high = np.maximum(self._joined[self._from], self._joined[self._from + 1])
        order = np.lexsort((weights, high, low))
        low, high, kept = low[order], high[order], np.maximum(weights[order], 1e-9)
        first = np.ones(len(low), bool)
        first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
        first &= low != high
        return csr_array((kept[first], (low[first], high[first])), shape=(len(self.places),) * 2)

    def _join(self) -> Ints:
        """Return of each point the one that stands for it: ends of pipes that meet are one."""
        joined = np.arange(len(self.places))
        if not len(joined):
            return joined
        ends = np.unique(np.concatenate([self._bounds[:-1], self._bounds[1:] - 1]))
        cells = np.round(self.places[ends] * self._metres / JOIN_M).astype(np.int64)
        _, first, inverse = np.unique(cells, axis=0, return_index=True, return_inverse=True)
        joined[ends] = ends[first[inverse.reshape(-1)]]
        return joined

    def _sums(self, heard: NDArray[np.bool_]) -> dict[str, tuple[float, float]]:
        sums: dict[str, tuple[float, float]] = {}
        of_pipe = np.bincount(self._pipe_of, self._lengths, len(self._pipes))
        heard_of_pipe = np.bincount(self._pipe_of, self._lengths * heard, len(self._pipes))
        for pipe, whole, part in zip(self._pipes, of_pipe, heard_of_pipe, strict=True):
            before = sums.get(pipe.material, (0.0, 0.0))
            sums[pipe.material] = (before[0] + float(whole), before[1] + float(part))
        return sums

    def _stretches(self, wanted: NDArray[np.bool_]) -> Iterable[list[Point]]:
        """Yield runs of pieces of one pipe as lines, without the points that lie on a straight line."""
        edge = np.flatnonzero(wanted[1:] & (~wanted[:-1] | (self._pipe_of[1:] != self._pipe_of[:-1]))) + 1
        begins = [0, *edge] if len(wanted) and wanted[0] else list(edge)
        for begin in begins:
            end = begin
            while end + 1 < len(wanted) and wanted[end + 1] and self._pipe_of[end + 1] == self._pipe_of[begin]:
                end += 1
            yield _corners(self.places[self._from[begin] : self._from[end] + 2])


def along(line: Sequence[Point], shares: Sequence[float]) -> list[Point]:
    """Return the points of a line at these shares of its length, 0 to 1."""
    places = np.array(line)
    shrink = np.array([math.cos(math.radians(float(places[:, 1].mean()))), 1.0])
    steps = np.hypot(*(np.diff(places, axis=0) * shrink).T)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.clip(shares, 0, 1) * at[-1]
    return [_point(each) for each in np.column_stack([np.interp(wanted, at, places[:, axis]) for axis in (0, 1)])]


def stretch(line: Sequence[Point], low: float, high: float) -> list[Point]:
    """Return the part of a line between two shares of its length, with its corners."""
    shares = np.linspace(low, high, max(2, int((high - low) * 200)))
    return _corners(np.array(along(line, list(shares))))


def _cut(pipe: NetworkPipe, step: float) -> tuple[Floats, Floats]:
    """Return points of a pipe, (n, 2), and the lengths between them, m, which sum to the pipe's stated length."""
    corners = np.array(pipe.line)
    shrink = np.array([math.cos(math.radians(float(corners[:, 1].mean()))), 1.0])
    drawn = np.hypot(*(np.diff(corners, axis=0) * shrink).T)
    share = drawn / drawn.sum()
    parts = np.maximum(1, np.ceil(share * pipe.length / step)).astype(int)
    points = [
        corners[i] + (corners[i + 1] - corners[i]) * (np.arange(count) / count)[:, None]
        for i, count in enumerate(parts)
    ]
    return np.concatenate([*points, corners[-1:]]), np.repeat(share * pipe.length / parts, parts)


def _corners(places: Floats) -> list[Point]:
    """Return a line without its points that lie on the straight line between their neighbours."""
    steps = np.diff(places, axis=0)
    turn = np.abs(steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0])
    kept = np.concatenate([[True], turn > 1e-13, [True]])
    return [_point(each) for each in places[kept]]


def _point(place: Floats) -> Point:
    return float(place[0]), float(place[1])
