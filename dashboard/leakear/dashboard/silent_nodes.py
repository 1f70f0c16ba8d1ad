"""Decides when a silent node becomes an alert: once after a grace period, and when it is back."""

from collections.abc import Iterable

from leakear.dashboard.fleet import OFFLINE, ONLINE, Key, Node
from leakear.dashboard.history import BACK, LOST


class SilentNodes:
    """Nodes that are stale or offline. `reported`: nodes whose loss an earlier run has recorded."""

    def __init__(self, grace: float, reported: Iterable[Key]) -> None:
        self._grace = grace
        self._reported = set(reported)
        self._since: dict[Key, float] = {}
        """POSIX seconds when each node was first found silent"""

    def check(self, node: Node, now: float) -> tuple[str, str] | None:
        """Return kind and reason of an event about this node; None when there is none."""
        if node.presence == ONLINE:
            self._since.pop(node.key, None)
            if node.key in self._reported:
                self._reported.discard(node.key)
                return BACK, "The node sends messages again."
            return None
        began = self._since.setdefault(node.key, now)
        if node.key in self._reported or now - began < self._grace:
            return None
        self._reported.add(node.key)
        return LOST, _sentence(node)


def _sentence(node: Node) -> str:
    if node.presence == OFFLINE:
        return "The broker lost the node: no power or no network there."
    return "The node is silent and did not sign off: it hangs, or its network does not work."
