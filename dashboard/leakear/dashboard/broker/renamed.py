"""Nodes that were renamed, as far as their missing events need it: their `seq` goes on from one name to the next.

So what is missing of a former name is asked for under the present one; and a number that is missing under one name is
no loss when its event came under another.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Protocol

from leakear.dashboard.fleet import ONLINE, Fleet, Key, Node

LOOK_S = 3600.0
"""seconds between two looks for nodes that were renamed"""


class Names(Protocol):
    """What the history knows; blocking."""

    def present_names(self) -> Mapping[Key, Key]:
        """Return former name → present name of the nodes that were renamed lately."""

    def numbers(self, key: Key, first: int, last: int) -> list[int]:
        """Return which of these `seq` are stored under a name."""


class Renamed:
    """Knows under which names a node has published."""

    def __init__(self, fleet: Fleet, names: Names) -> None:
        self._fleet, self._names = fleet, names
        self._present: Mapping[Key, Key] = {}
        self._looked = -LOOK_S

    async def present(self, node: Node) -> Node:
        """Return the node under the name that it has now; itself where it was not renamed."""
        if time.monotonic() - self._looked >= LOOK_S:
            self._looked = time.monotonic()
            self._present = await asyncio.to_thread(self._names.present_names)
        if node.presence == ONLINE:
            return node
        return self._fleet.get(self._present.get(node.key, node.key)) or node

    async def drop_others(self, node: Node) -> bool:
        """Close the gaps whose events came under another name of this node; True where there were any."""
        mine = self._present.get(node.key, node.key)
        others = {*self._present, mine} - {node.key}
        found: list[int] = []
        for key in [key for key in others if self._present.get(key, key) == mine]:
            for first, last in list(node.sequence.gaps):
                found += await asyncio.to_thread(self._names.numbers, key, first, last)
        missing = [seq for seq in found if any(first <= seq <= last for first, last in node.sequence.gaps)]
        for seq in missing:
            node.sequence.see(seq)
        return bool(missing)
