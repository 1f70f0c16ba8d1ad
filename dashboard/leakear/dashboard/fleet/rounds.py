"""Goes through a large fleet in parts, so that nothing else waits for it."""

from itertools import islice

from leakear.dashboard.fleet.fleet import Fleet
from leakear.dashboard.fleet.node import Node

PART = 5000
"""nodes of a part: up to so many, a fleet is one part"""


class Round:
    """Each call of `part` returns the next nodes; after the last it begins anew."""

    def __init__(self, fleet: Fleet, most: int = PART) -> None:
        self._fleet, self._most = fleet, most
        self._waiting = iter(list(fleet))

    def part(self) -> list[Node]:
        """Return nodes that are in the fleet now, each once a round."""
        if len(self._fleet) <= self._most:
            return list(self._fleet)
        found = list(islice(self._waiting, self._most))
        if not found:
            self._waiting = iter(list(self._fleet))
            found = list(islice(self._waiting, self._most))
        return [node for node in found if self._fleet.get(node.key) is node]
