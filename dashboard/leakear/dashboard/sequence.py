"""Which events of a node never arrived: its `seq` grows by one for ever, so a hole is a loss that can be shown."""

from dataclasses import dataclass, field

MAX_GAPS = 500
"""holes remembered per node; beyond, the oldest is forgotten"""


@dataclass(slots=True)
class Sequence:
    """Highest `seq` seen, and the holes below it."""

    last: int = 0
    """0 before the first event: a dashboard that was installed later misses nothing"""
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """first and last missing number of each hole, ascending"""

    @property
    def missing(self) -> int:
        """How many events never arrived."""
        return sum(last - first + 1 for first, last in self.gaps)

    def see(self, seq: int) -> bool:
        """Note the number of an event that was new to the history; True when the holes changed."""
        if seq <= 0:
            return False
        if seq <= self.last:
            return self._late(seq)
        hole = (self.last + 1, seq - 1) if self.last and seq > self.last + 1 else None
        self.last = seq
        if hole is None:
            return False
        self.gaps.append(hole)
        del self.gaps[:-MAX_GAPS]
        return True

    def _late(self, seq: int) -> bool:
        """Close (a part of) a hole; a new event with an old number outside any hole: the node's outbox was lost."""
        for i, (first, last) in enumerate(self.gaps):
            if first <= seq <= last:
                self.gaps[i : i + 1] = [h for h in ((first, seq - 1), (seq + 1, last)) if h[0] <= h[1]]
                return True
        self.last, self.gaps = seq, []
        return True
