"""Decides when a silent node becomes an alert: once after a grace period, and when it is back."""

from collections import deque
from collections.abc import Iterable

from leakear.dashboard.fleet.node import ASLEEP, OFFLINE, ONLINE, WAITING, Key, Node
from leakear.dashboard.history import BACK, LOST

NEW_LOST, NEW_LOST_S = 50, 3600.0
"""losses of new nodes that are reported within so many seconds"""


class SilentNodes:
    """Nodes that are stale or offline. `reported`: nodes whose loss an earlier run has recorded."""

    def __init__(self, grace: float, reported: Iterable[Key]) -> None:
        self._grace = grace
        self._reported = set(reported)
        self._since: dict[Key, float] = {}
        """POSIX seconds when each node was first found silent"""
        self._new_lost: deque[float] = deque(maxlen=NEW_LOST)

    def forget(self, key: Key) -> None:
        """Drop a node that is no longer in the fleet."""
        self._since.pop(key, None)
        self._reported.discard(key)

    def check(self, node: Node, now: float, *, new: bool = False) -> tuple[str, str] | None:
        """Return kind and reason of an event about this node; None when there is none.

        `new`: the node is not known yet (`admission`); such losses are limited, as anybody can invent nodes.
        """
        if node.presence in (ONLINE, ASLEEP):
            self._since.pop(node.key, None)
            if node.key in self._reported:
                self._reported.discard(node.key)
                return BACK, "The node sends messages again."
            return None
        if node.presence == WAITING:
            return None
        began = self._since.setdefault(node.key, now)
        if node.key in self._reported or now - began < self._grace:
            return None
        if new and not self._may_tell(now):
            return None
        self._reported.add(node.key)
        return LOST, _sentence(node)

    def _may_tell(self, now: float) -> bool:
        if len(self._new_lost) == NEW_LOST and now - self._new_lost[0] < NEW_LOST_S:
            return False
        self._new_lost.append(now)
        return True


def _sentence(node: Node) -> str:
    if node.presence == OFFLINE:
        return "The broker lost the node: no power or no network there."
    return "The node is silent and did not sign off: it hangs, or its network does not work."
