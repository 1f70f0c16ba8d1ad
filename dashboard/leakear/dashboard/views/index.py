"""The fleet in columns: counts, search and order of 100,000 nodes in milliseconds, without looking at each node.

In memory, because the database does not hold the present state; about 500 bytes a node.
"""

import re
import time
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from leakear.dashboard.fleet import Node
from leakear.dashboard.views.groups import GONE, GROUPS, SHOWN, rank, shown
from leakear.dashboard.views.view import What, Word

Rows = NDArray[np.intp]
"""shape (nodes,): rows of the columns"""
COLUMNS = np.dtype([("used", "?"), ("group", "i1"), ("shown", "i1"), ("score", "f4"), ("level", "f4"), ("seen", "f8"),
                    ("place", "i4"), ("site", "i4")])  # fmt: skip
"""`place`: number in the order of names; `site`: number of the site in the same order"""
PART = 0.05
"""share of the time that may go into making the order of names anew"""


@dataclass(frozen=True)
class Site:
    """The head of a site in a list by site."""

    name: str
    start: int
    """number of its first node among all found"""
    counts: tuple[int, ...]
    """nodes found, by tile"""


@dataclass(frozen=True)
class Found:
    """Nodes that a search has found, in order."""

    rows: Rows
    sites: tuple[Site, ...] | None
    """None: not by site"""


class Index:
    """Follows each change of the fleet."""

    def __init__(self) -> None:
        self.moved = 0
        """changes when a node joins, leaves, or changes its tile or what is searched in"""
        self.valued = 0
        """changes when any value does"""
        self.joined = 0
        """changes when a node joins or leaves"""
        self._columns = np.zeros(64, COLUMNS)
        self._nodes: list[Node | None] = [None] * 64
        self._texts: list[str] = [""] * 64
        self._rows: dict[int, int] = {}
        """number of a node → its row"""
        self._free = list(range(63, -1, -1))
        self._order: list[tuple[str, int]] = []
        """key of the name and row, sorted"""
        self._added: list[tuple[str, int]] = []
        self._sites: list[str] = []
        self._next = 0.0
        """monotonic seconds at which the order of names may be made anew"""

    def __len__(self) -> int:
        return len(self._rows)

    def node(self, row: int) -> Node | None:
        """Return the node of a row."""
        return self._nodes[row]

    def update(self, node: Node) -> None:
        """Take over what a node is now; adds it when it is new."""
        row = self._rows.get(node.index)
        if row is None:
            row = self._add(node)
        name = shown(node)
        report = node.report
        text = (
            f"{node.site} {node.name} {' '.join(report.faults) if report else ''} {report.model.id if report else ''}"
        )
        text = text.lower()
        column = self._columns[row]
        kind = SHOWN.index(name) if name in SHOWN else SHOWN.index("UNKNOWN")
        if column["shown"] != kind or not column["used"] or self._texts[row] != text:
            self.moved += 1
            self._texts[row] = text
        self.valued += 1
        values = (node.score, -1.0), (node.level, -999.0), (node.last_seen, 0.0)
        numbers = (other if value is None else value for value, other in values)
        self._columns[row] = (True, rank(name), kind, *numbers, column["place"], column["site"])

    def remove(self, node: Node) -> None:
        """Drop a node."""
        row = self._rows.pop(node.index, None)
        if row is None:
            return
        key = (_key(node), row)
        if key in self._added:
            self._added.remove(key)
        else:
            del self._order[bisect_left(self._order, key)]
        self._columns[row]["used"] = False
        self._nodes[row], self._texts[row] = None, ""
        self._free.append(row)
        self.moved += 1
        self.joined += 1

    def counts(self) -> dict[str, int]:
        """Return how many nodes each tile counts."""
        used = self._columns["group"][self._columns["used"]]
        return dict(zip(GROUPS, np.bincount(used, minlength=len(GROUPS)).tolist(), strict=True))

    def rows_of(self, nodes: Iterable[Node | None]) -> Rows:
        """Return the row of each node; −1 for one that is not here."""
        return np.array([-1 if node is None else self._rows.get(node.index, -1) for node in nodes], np.intp)

    def kinds(self, rows: Rows) -> NDArray[np.int8]:
        """Return tile and word of each row, shape (rows, 2); a node that is not here is UNKNOWN."""
        found = np.stack([self._columns["group"][rows], self._columns["shown"][rows]], 1)
        found[rows < 0] = GONE, SHOWN.index("UNKNOWN")
        return found

    def find(self, what: What) -> Found:
        """Return the nodes that match, in order."""
        self._name_order()
        rows = np.flatnonzero(self._columns["used"])
        if what.group is not None:
            rows = rows[self._columns["group"][rows] == GROUPS.index(what.group)]
        for word in what.words:
            rows = self._matching(rows, word)
        part = self._columns[rows]
        order = np.lexsort((part["place"], self._sort_key(part, what.sort)))
        if not what.grouped:
            return Found(rows[order], None)
        return self._by_site(rows[order])

    def _matching(self, rows: Rows, word: Word) -> Rows:
        texts, kinds = self._texts, self._columns["shown"]
        named = np.isin(kinds[rows], [SHOWN.index(name) for name in word.names])
        held = np.fromiter((word.text in texts[row] for row in rows.tolist()), np.bool_, len(rows))
        return rows[held | named]

    @staticmethod
    def _sort_key(part: NDArray[np.void], sort: str) -> NDArray[np.generic]:
        if sort in ("score", "level"):
            return np.asarray(-part[sort])
        return np.asarray(part[{"seen": "seen", "name": "place"}.get(sort, "group")])

    def _by_site(self, rows: Rows) -> Found:
        """Put the site with the worst news first."""
        part = self._columns[rows]
        tallies = np.zeros((len(self._sites), len(GROUPS)), np.int64)
        np.add.at(tallies, (part["site"], part["group"]), 1)
        worst = np.where(tallies.any(1), (tallies > 0).argmax(1), len(GROUPS))
        rows = rows[np.lexsort((np.arange(len(rows)), part["site"], worst[part["site"]]))]
        numbers, starts = np.unique(self._columns["site"][rows], return_index=True)
        heads = sorted(zip(starts.tolist(), numbers.tolist(), strict=True))
        sites = (Site(self._sites[number], start, tuple(tallies[number].tolist())) for start, number in heads)
        return Found(rows, tuple(sites))

    def _add(self, node: Node) -> int:
        if not self._free:
            count = len(self._nodes)
            self._columns = np.concatenate([self._columns, np.zeros(count, COLUMNS)])
            self._nodes += [None] * count
            self._texts += [""] * count
            self._free = list(range(2 * count - 1, count - 1, -1))
        self.joined += 1
        row = self._rows[node.index] = self._free.pop()
        self._nodes[row] = node
        self._added.append((_key(node), row))
        self._columns[row] = (False, 0, 0, 0, 0, 0, np.iinfo(np.int32).max, 0)
        return row

    def _name_order(self) -> None:
        """Put new nodes into the order of names. While many join, it is made now and then; they are last until then."""
        now = time.monotonic()
        if not self._added or now < self._next:
            return
        self._order += self._added
        self._added = []
        self._order.sort()
        rows = np.fromiter((row for _, row in self._order), np.intp, len(self._order))
        nodes = (self._nodes[row] for _, row in self._order)
        sites = [node.site if node else "" for node in nodes]
        begins = np.array([True, *(a != b for a, b in pairwise(sites))])
        self._columns["place"][rows] = np.arange(len(rows))
        self._columns["site"][rows] = np.cumsum(begins) - 1
        self._sites = [site for site, begin in zip(sites, begins, strict=True) if begin]
        self._next = now + (time.monotonic() - now) / PART


def _key(node: Node) -> str:
    """Return a text that sorts as people count: node-2 before node-10."""
    return "\0".join(_padded(name) + "\0" + name for name in (node.site, node.name))


def _padded(name: str) -> str:
    return re.sub(r"\d+", lambda found: found.group().zfill(12), name.lower())
