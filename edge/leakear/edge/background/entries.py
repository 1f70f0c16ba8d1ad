"""Half-hour entries: which levels of the past belong to the background of a node, and from when on.

A leak lasts, everything else ends. So an entry that stands above all that was known before it is held back until its
sound has stopped; the sound of a leak never joins. Entries that were nothing new join after three days: until then two
nights can show that they belong to a faint leak, and hold them back too. In its first days a node knows nothing, and
takes everything for its background after twelve hours. Pure: no clock, no I/O.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leakear.edge.background.packed import packed, unpacked
from leakear.edge.background.third_octaves import CENTRES_HZ, Bands, Rows

EVERY_S = 1800.0
"""Seconds of sound from one entry to the next."""
ENTRIES = 336
"""Entries of the background: one week."""
ENOUGH = 112
"""Entries needed before an excess is reported (56 h)."""
FIRST_DELAY = 24
"""Entries that wait in the first days of a node: twelve hours."""
DELAY = 144
"""Entries that wait later: three days."""
MOST_HELD = 672
"""Entries held back at most: two weeks; the oldest are dropped."""
GONE_SHARE = 0.15
"""Of the excess of an entry: a pair of bands with less than this left has stopped sounding."""
GONE_ENTRIES = 2
"""Entries in a row that must show it."""


@dataclass(slots=True)
class HeldEntry:
    """An entry that was above the background, and when its sound counts as stopped."""

    levels: Bands
    band: int
    """index of the lower of the two bands of the excess"""
    gone_db: float
    """mean level of the pair, dB, from which on its sound has stopped"""
    quiet: int = 0
    """entries in a row at or below that level since"""


class Entries:
    """The past of one node, in entries of half an hour."""

    def __init__(self) -> None:
        self.past: Rows = np.empty((0, len(CENTRES_HZ)), np.float32)
        """the background, shape (n, 25), dB; replaced as a whole whenever it changes"""
        self.held: list[HeldEntry] = []
        """entries that join when their sound has stopped"""
        self._waiting: list[Bands] = []

    @property
    def enough(self) -> bool:
        """Whether an excess over them means something."""
        return len(self.past) >= ENOUGH

    def add(self, levels: Bands) -> None:
        """Take an entry that is nothing new."""
        self._stopped(levels)
        self._waiting.append(levels)
        delay = DELAY if self.enough else FIRST_DELAY
        if len(self._waiting) > delay:
            joining = self._waiting[: len(self._waiting) - delay]
            del self._waiting[: len(joining)]
            self._join(joining)

    def hold(self, levels: Bands, band: int, excess_db: float) -> None:
        """Take an entry whose pair of bands from `band` on is `excess_db` above the background."""
        for entry in self.held:  # something new still sounds: nobody knows whether it is the same
            entry.quiet = 0
        self.held.append(_held(levels, band, excess_db))
        del self.held[:-MOST_HELD]

    def hold_back(self, band: int, over_db: float, excess_db: float) -> None:
        """Hold back waiting entries that contain a sound found later: a pair of bands at `over_db` or above."""
        pair = slice(band, band + 2)
        loud = [levels for levels in self._waiting if float(levels[pair].mean()) >= over_db]
        self._waiting = [levels for levels in self._waiting if float(levels[pair].mean()) < over_db]
        self.held = [*self.held, *(_held(levels, band, excess_db) for levels in loud)][-MOST_HELD:]

    def accept(self) -> None:
        """Let everything that waits or is held join: a person has stated that there is no leak in it."""
        self._join([*self._waiting, *(entry.levels for entry in self.held)])
        self._waiting, self.held = [], []

    def forget(self) -> None:
        """Drop everything."""
        self.past, self.held, self._waiting = self.past[:0], [], []

    def _stopped(self, levels: Bands) -> None:
        """Let held entries join whose sound is no longer heard."""
        for entry in self.held:
            pair = float(levels[entry.band : entry.band + 2].mean())
            entry.quiet = entry.quiet + 1 if pair <= entry.gone_db else 0
        gone = [entry.levels for entry in self.held if entry.quiet >= GONE_ENTRIES]
        if gone:
            self.held = [entry for entry in self.held if entry.quiet < GONE_ENTRIES]
            self._join(gone)

    def _join(self, levels: Sequence[Bands]) -> None:
        if levels:
            self.past = np.vstack([self.past, *levels])[-ENTRIES:]

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        about = [[entry.band, round(entry.gone_db, 2), entry.quiet] for entry in self.held]
        held = {"levels": packed([entry.levels for entry in self.held]), "about": about}
        return {"moments": packed(self.past), "pending": packed(self._waiting), "held": held}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `snapshot`; version 0.1 had no held entries. Raises ValueError, TypeError or KeyError."""
        past, waiting = unpacked(saved["moments"]), unpacked(saved["pending"])
        held = saved.get("held", {"levels": packed([]), "about": []})
        rows = unpacked(held["levels"])
        if len(rows) != len(held["about"]):
            raise ValueError("the saved background is not whole")
        entries = [
            HeldEntry(levels, int(band), float(gone_db), int(quiet))
            for levels, (band, gone_db, quiet) in zip(rows, held["about"], strict=True)
        ]
        self.past, self._waiting, self.held = past[-ENTRIES:], list(waiting[-DELAY:]), entries[-MOST_HELD:]


def _held(levels: Bands, band: int, excess_db: float) -> HeldEntry:
    pair = float(levels[band : band + 2].mean())
    return HeldEntry(levels, band, pair - (1 - GONE_SHARE) * excess_db)
