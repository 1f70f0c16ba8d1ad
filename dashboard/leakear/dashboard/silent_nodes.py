"""When a silent node becomes an alert: after a grace, once, and once more when it is heard again."""

from collections.abc import Iterable

from leakear.dashboard.fleet import OFFLINE, ONLINE, Key, Node
from leakear.dashboard.history import BACK, LOST


class Absence:
    """Remembers who is missing. `reported` are the nodes whose loss an earlier run has written down."""

    def __init__(self, grace: float, reported: Iterable[Key]) -> None:
        self._grace = grace
        self._reported = set(reported)
        self._since: dict[Key, float] = {}
        """POSIX seconds when each missing node was first found missing"""

    def check(self, node: Node, now: float) -> tuple[str, str] | None:
        """Kind of event and sentence when there is something to write down about this node."""
        if node.presence == ONLINE:
            self._since.pop(node.key, None)
            if node.key in self._reported:
                self._reported.discard(node.key)
                return BACK, "The node is heard again."
            return None
        began = self._since.setdefault(node.key, now)
        if node.key in self._reported or now - began < self._grace:
            return None
        self._reported.add(node.key)
        return LOST, _sentence(node)


def _sentence(node: Node) -> str:
    if node.presence == OFFLINE:
        return "The broker lost the node: no power or no network there."
    return "The node is silent although it never said goodbye: it hangs, or its network does."
