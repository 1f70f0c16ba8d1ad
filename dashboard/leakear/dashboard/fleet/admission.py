"""Which nodes are in the fleet: known ones always, new ones up to a limit of their own.

Whoever may publish on any topic can invent nodes. A node is new until it has been heard over a day; invented ones then
fill the limit of new nodes, and neither a known node nor one that reports a leak gives way to them.
"""

from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Protocol

Key = tuple[str, str]
NEW_S = 86400.0
"""seconds over which a node is heard before it is known"""
LOOKED_AT = 50
"""new nodes, the longest silent first, among which one that may give way is looked for"""


class Candidate(Protocol):
    """What is asked of a node."""

    first_seen: float | None
    last_seen: float | None
    state: str


class Admission:
    """Keeps the new nodes, the longest silent first."""

    def __init__(self, limit: int, new_limit: int) -> None:
        self.limit = limit
        """nodes in all"""
        self.new_limit = new_limit
        """new nodes at a time; while no node is known at all, `limit` holds for them"""
        self._new: OrderedDict[Key, Candidate] = OrderedDict()

    def is_new(self, key: Key) -> bool:
        """Whether a node is in the fleet and not known yet."""
        return key in self._new

    def admit(self, total: int, *, leak: bool, silent: Callable[[Candidate], bool]) -> tuple[bool, Key | None]:
        """Return whether one more node may join a fleet of `total`, and which one gives way for it.

        `leak`: it reports a leak. `silent`: whether a node has been silent for long.
        """
        most = self.limit if total == len(self._new) else self.new_limit
        if len(self._new) < most and total < self.limit:
            return True, None
        for key, node in islice(self._new.items(), None if leak else LOOKED_AT):
            if node.state != "LEAK" and (leak or silent(node)):
                return True, key
        return leak and total < self.limit + self.new_limit, None

    def joined(self, key: Key, node: Candidate) -> None:
        """Add a new node."""
        self._new[key] = node

    def left(self, key: Key) -> None:
        """Drop a node."""
        self._new.pop(key, None)

    def heard(self, key: Key, now: float) -> None:
        """Note that a message of this node arrived at POSIX second `now`."""
        node = self._new.get(key)
        if node is None:
            return
        self._new.move_to_end(key)
        if is_known(node.first_seen, now):
            self.left(key)


def is_known(first_seen: float | None, last_seen: float | None) -> bool:
    """Whether a node was heard over long enough to be known."""
    return first_seen is not None and last_seen is not None and last_seen - first_seen >= NEW_S
