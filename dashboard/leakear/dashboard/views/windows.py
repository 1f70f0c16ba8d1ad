"""What each page of a large fleet is sent: the nodes that it shows, and counts of all."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from leakear.dashboard.fleet import Fleet, Key, Node
from leakear.dashboard.views.index import Found, Index, Site
from leakear.dashboard.views.view import View, What

PAUSE_S, SHARE = 0.5, 0.2
"""a question is answered anew after so many seconds at least; all of them together take at most this share of time"""
KEPT = 64
"""answers that are kept"""


class Windowed(Protocol):
    """What is asked of a page."""

    view: View | None
    also: frozenset[Key]
    watching: Key | None
    known: frozenset[int]
    """numbers of the nodes that it has"""
    sites: tuple[Site, ...] | None
    """heads of sites that it was sent"""
    told: dict[str, Any]
    """what it was told of the whole fleet and of its view"""


@dataclass(frozen=True)
class _Answer:
    found: Found
    version: tuple[int, int]
    made: float
    """monotonic seconds"""


class Windows:
    """`snapshot` returns all of a node that a page shows in a list."""

    def __init__(self, fleet: Fleet, snapshot: Callable[[Node, float], dict[str, Any]]) -> None:
        self.index = Index()
        self._fleet, self._snapshot = fleet, snapshot
        self._answers: dict[What, _Answer] = {}
        self._again = 0.0
        """monotonic seconds from which on any question may be answered anew"""
        self._counts: tuple[int, dict[str, int]] = (-1, {})

    def part(
        self, page: Windowed, now: float, live: dict[int, list[Any]], heads: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Return what a page must be sent; empty: nothing. `live`, `heads`: what changed in the fleet, by number."""
        told, sites, nodes = self._look(page)
        new = [self._snapshot(node, now) for index, node in nodes.items() if index not in page.known]
        gone = sorted(page.known - nodes.keys())
        stay = page.known & nodes.keys()
        page.known = frozenset(nodes)
        new += [head for head in heads if head["i"] in stay]
        part: dict[str, Any] = {"live": [live[index] for index in stay if index in live], "heads": new, "gone": gone}
        part = {name: value for name, value in part.items() if value}
        if sites is not page.sites:
            page.sites = sites
            part["sites"] = [[site.name, site.start, site.counts] for site in sites or ()]
        if told != page.told:
            page.told = part["part"] = told
        return part

    def _look(self, page: Windowed) -> tuple[dict[str, Any], tuple[Site, ...] | None, dict[int, Node]]:
        """Return what a page is told of the fleet and its view, the sites of the view, and the nodes that it shows."""
        told: dict[str, Any] = {"total": len(self.index), "counts": self.counts()}
        named = (self._fleet.get(key) for key in (*page.also, *([page.watching] if page.watching else [])))
        nodes = {node.index: node for node in named if node is not None}
        sites = None
        if (view := page.view) is not None:
            found = self.find(view.what)
            rows = found.rows[view.offset : view.offset + view.limit].tolist()
            shown = [node for row in rows if (node := self.index.node(row)) is not None]
            nodes |= {node.index: node for node in shown}
            told |= {"turn": view.turn, "offset": view.offset, "found": len(found.rows)}
            told["rows"] = [node.index for node in shown]
            sites = found.sites
        return told, sites, nodes

    def counts(self) -> dict[str, int]:
        """Return how many nodes each tile counts."""
        if self._counts[0] != self.index.moved:
            self._counts = self.index.moved, self.index.counts()
        return self._counts[1]

    def find(self, what: What) -> Found:
        """Return the nodes that match; from before, while that is fresh enough."""
        index, began = self.index, time.monotonic()
        by_value = what.sort in ("score", "level", "seen")
        version = (index.moved, index.valued if by_value else 0)
        known = self._answers.get(what)
        early = known is not None and began < max(known.made + PAUSE_S, self._again)
        if known is not None and (early or known.version == version):
            return known.found
        found = index.find(what)
        ended = time.monotonic()
        if known is not None:
            self._again = ended + (ended - began) / SHARE
        self._answers.pop(what, None)
        while len(self._answers) >= KEPT:
            del self._answers[next(iter(self._answers))]
        self._answers[what] = _Answer(found, version, ended)
        return found
