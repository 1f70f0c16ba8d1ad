"""Day peaks: the loudest new sound of each past day without a leak, and the limit that follows from them.

What stood far above the background while little was known may be an everyday sound by now, as a use of water that has
come back. So a peak is compared again with what is known today, less the half hours of its own sound: the limit is
learnt from what nothing else of this place's past accounts for. Pure: no clock, no I/O.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from leakear.edge.background.background import NEW_DB
from leakear.edge.background.entries import OWN_SOUND
from leakear.edge.background.own_limit import DAYS, MARGIN, ODD_DAYS, largest_of_past
from leakear.edge.background.packed import packed, unpacked
from leakear.edge.background.saved import saved_db, saved_entry
from leakear.edge.background.third_octaves import Bands

A_TURN = 2
"""Peaks that are compared again each half hour: every one about once a day."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The largest excess of a day that stood for a span."""

    db: float = 0.0
    """excess over the background; today's, once it has been compared again, if that is less"""
    levels: Bands | None = None
    """quiet levels of the span, shape (25,), dB; None: not to be compared again"""
    entry: int = 0
    """number of its half hour"""

    def may_be_sound_of(self, other: "Peak") -> bool:
        """Tell whether both may be of one sound: it was heard when a day ended."""
        return self.levels is not None and other.levels is not None and abs(self.entry - other.entry) <= OWN_SOUND


class DayPeaks:
    """The peaks of the past days, and that of today."""

    def __init__(self, days: Iterable[Peak] = ()) -> None:
        self.today = Peak()
        """what was largest since the last night"""
        self._days = deque(days, maxlen=DAYS)
        self._turn = 0
        self._largest_db = self._largest()

    def limit_db(self, change_db: float) -> float:
        """Return the excess above which a day is unlike all days before it, dB.

        `change_db`: how much the quiet levels of this place change from night to night, dB.
        """
        return self._largest_db + MARGIN * change_db

    def end_day(self, *, leak: bool) -> None:
        """Learn from a day, unless it ended in a LEAK."""
        if not leak:
            faint = self.today.db < NEW_DB  # it decides nothing, whatever is known later
            self._days.append(Peak(self.today.db) if faint else self.today)
            self._largest_db = self._largest()
        self.today = Peak()

    def accept(self) -> None:
        """Learn that the sound of today is no leak: a person has stated it, so it counts at once."""
        self._days.extend([Peak(self.today.db)] * (ODD_DAYS + 1))
        self.today = Peak()
        self._largest_db = self._largest()

    def compare_again(self, excess_today_db: Callable[[Bands, int], float]) -> None:
        """Compare the next peaks with what is known today: see `Background.excess_today_db`. Once each half hour."""
        for _ in range(min(A_TURN, len(self._days))):
            self._turn = (self._turn + 1) % len(self._days)
            peak = self._days[self._turn]
            if peak.levels is not None and peak.db > 0:
                left_db = max(0.0, round(excess_today_db(peak.levels, peak.entry), 2))
                self._days[self._turn] = replace(peak, db=min(peak.db, left_db))
        self._largest_db = self._largest()

    def _largest(self) -> float:
        """Return the largest peak, dB, without odd days; of two that may be of one sound the larger one counts."""
        kept: list[Peak] = []
        for peak in sorted(self._days, key=lambda peak: peak.db, reverse=True):
            if not any(peak.may_be_sound_of(other) for other in kept):
                kept.append(peak)
        return float(largest_of_past([peak.db for peak in kept])) if len(kept) > ODD_DAYS else 0.0

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        peaks = [*self._days, self.today]
        about = [[peak.db, peak.entry, peak.levels is not None] for peak in peaks]
        return {
            "peaks": about,
            "levels": packed([peak.levels for peak in peaks if peak.levels is not None]),
            "turn": self._turn,
        }

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "DayPeaks":
        """Inverse of `snapshot`. Raises KeyError, TypeError or ValueError."""
        rows, about = unpacked(saved["levels"]), list(saved["peaks"])
        if not about or len(rows) != sum(bool(known) for _, _, known in about):
            raise ValueError("the saved peaks are not whole")
        levels = iter(rows)
        peaks = [Peak(saved_db(db), next(levels) if known else None, saved_entry(at)) for db, at, known in about]
        made = cls(peaks[:-1])
        made.today, made._turn = peaks[-1], int(saved["turn"])
        return made
