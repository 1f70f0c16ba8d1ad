"""Finds lost events of a node: its `seq` increases by one with each event, so a gap is a loss."""

from dataclasses import dataclass, field

MAX_GAPS = 500
"""gaps stored per node; beyond it the oldest is dropped"""


@dataclass(slots=True)
class Sequence:
    """Highest `seq` seen, and the gaps below it."""

    last: int = 0
    """0 before the first event: earlier events do not count as lost"""
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """first and last missing number of each gap, ascending"""

    @property
    def missing(self) -> int:
        """Number of events that did not arrive."""
        return sum(last - first + 1 for first, last in self.gaps)

    def see(self, seq: int) -> bool:
        """Add the number of an event that was new to the history; True when the gaps changed."""
        if seq <= 0:
            return False
        if seq <= self.last:
            return self._late(seq)
        gap = (self.last + 1, seq - 1) if self.last and seq > self.last + 1 else None
        self.last = seq
        if gap is None:
            return False
        self.gaps.append(gap)
        del self.gaps[:-MAX_GAPS]
        return True

    def expect(self, seq: int) -> bool:
        """Count events up to `seq` as missing: the node says that it has sent them; True when the gaps changed."""
        if seq <= self.last:
            return False
        self.gaps.append((self.last + 1, seq))
        self.last = seq
        del self.gaps[:-MAX_GAPS]
        return True

    def _late(self, seq: int) -> bool:
        """Remove a number from its gap. An old number outside all gaps means that the node's outbox was lost."""
        for i, (first, last) in enumerate(self.gaps):
            if first <= seq <= last:
                self.gaps[i : i + 1] = [h for h in ((first, seq - 1), (seq + 1, last)) if h[0] <= h[1]]
                return True
        self.last, self.gaps = seq, []
        return True
