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
from numpy.typing import NDArray

from leakear.edge.background.packed import packed, packed_numbers, unpacked, unpacked_numbers
from leakear.edge.background.saved import saved_db, saved_entry, saved_pair
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
OWN_SOUND = 24
"""Entries before and after a moment that may be of the same sound: twelve hours, longer than any use of water."""
UNKNOWN = -1_000_000
"""Number of an entry that an earlier version has saved without one: long before all that have one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The quiet levels of half an hour."""

    levels: Bands
    number: int
    """its number since the node was installed, counted in half hours of sound"""


@dataclass(slots=True)
class HeldEntry:
    """An entry that was above the background, and when its sound counts as stopped."""

    entry: Entry
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
        self.count = 0
        """half hours heard so far: the number of the next entry"""
        self._numbers: NDArray[np.int32] = np.empty(0, np.int32)  # of the entries in `past`
        self.held: list[HeldEntry] = []
        """entries that join when their sound has stopped"""
        self._waiting: list[Entry] = []

    @property
    def enough(self) -> bool:
        """Whether an excess over them means something."""
        return len(self.past) >= ENOUGH

    def add(self, levels: Bands) -> None:
        """Take an entry that is nothing new."""
        self._stopped(levels)
        self._waiting.append(self._numbered(levels))
        delay = DELAY if self.enough else FIRST_DELAY
        if len(self._waiting) > delay:
            joining = self._waiting[: len(self._waiting) - delay]
            del self._waiting[: len(joining)]
            self._join(joining)

    def hold(self, levels: Bands, band: int, excess_db: float) -> None:
        """Take an entry whose pair of bands from `band` on is `excess_db` above the background."""
        for entry in self.held:  # something new still sounds: nobody knows whether it is the same
            entry.quiet = 0
        self.held.append(_held(self._numbered(levels), band, excess_db))
        del self.held[:-MOST_HELD]

    def hold_back(self, band: int, over_db: float, excess_db: float) -> None:
        """Hold back waiting entries that contain a sound found later: a pair of bands at `over_db` or above."""
        pair = slice(band, band + 2)
        loud = [entry for entry in self._waiting if float(entry.levels[pair].mean()) >= over_db]
        self._waiting = [entry for entry in self._waiting if float(entry.levels[pair].mean()) < over_db]
        self.held = [*self.held, *(_held(entry, band, excess_db) for entry in loud)][-MOST_HELD:]

    def accept(self) -> None:
        """Let everything that waits or is held join: a person has stated that there is no leak in it."""
        self._join([*self._waiting, *(held.entry for held in self.held)])
        self._waiting, self.held = [], []

    def forget(self) -> None:
        """Drop everything."""
        self.past, self._numbers, self.held, self._waiting = self.past[:0], self._numbers[:0], [], []

    def learn(self, past: Rows, numbers: Sequence[int] | None = None) -> None:
        """Take a background that is known from elsewhere, shape (n, 25), dB; `numbers`: of its entries."""
        self.past = past[-ENTRIES:]
        self._numbers = np.array([UNKNOWN] * len(past) if numbers is None else numbers, np.int32)[-ENTRIES:]

    def latest(self, count: int) -> list[Bands]:
        """Return the last entries that were nothing new, at most `count` and none that has joined, oldest first."""
        return [entry.levels for entry in self._waiting[-count:]]

    def of_other_sounds(self, number: int) -> Rows:
        """Return the background without what may be the sound that was heard at an entry, shape (n, 25), dB."""
        return self.past[np.abs(self._numbers - number) > OWN_SOUND]

    def _numbered(self, levels: Bands) -> Entry:
        self.count += 1
        return Entry(levels, self.count - 1)

    def _stopped(self, levels: Bands) -> None:
        """Let held entries join whose sound is no longer heard."""
        for held in self.held:
            pair = float(levels[held.band : held.band + 2].mean())
            held.quiet = held.quiet + 1 if pair <= held.gone_db else 0
        gone = [held.entry for held in self.held if held.quiet >= GONE_ENTRIES]
        if gone:
            self.held = [held for held in self.held if held.quiet < GONE_ENTRIES]
            self._join(gone)

    def _join(self, entries: Sequence[Entry]) -> None:
        if entries:
            self.past = np.vstack([self.past, *(entry.levels for entry in entries)])[-ENTRIES:]
            self._numbers = np.append(self._numbers, [entry.number for entry in entries])[-ENTRIES:]

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        about = [[held.band, round(held.gone_db, 2), held.quiet] for held in self.held]
        held = {"levels": packed([held.entry.levels for held in self.held]), "about": about}
        waiting = packed([entry.levels for entry in self._waiting])
        numbers = [*self._numbers.tolist(), *(entry.number for entry in self._waiting)]
        numbers += [held.entry.number for held in self.held]
        counted = {"count": self.count, "numbers": packed_numbers(numbers)}
        return {"moments": packed(self.past), "pending": waiting, "held": held} | counted

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `snapshot`; version 0.1 had neither held entries nor numbers.

        Raises ValueError, TypeError or KeyError.
        """
        past, waiting = unpacked(saved["moments"]), unpacked(saved["pending"])
        held = saved.get("held", {"levels": packed([]), "about": []})
        rows = unpacked(held["levels"])
        if len(rows) != len(held["about"]):
            raise ValueError("the saved background is not whole")
        known = len(past) + len(waiting)
        numbers = unpacked_numbers(saved["numbers"]) if "numbers" in saved else [UNKNOWN] * (known + len(rows))
        if len(numbers) != known + len(rows):
            raise ValueError("the saved background is not whole")
        numbers = [saved_entry(number) for number in numbers]
        held_back = [
            HeldEntry(Entry(levels, number), saved_pair(band), saved_db(gone_db), int(quiet))
            for levels, number, (band, gone_db, quiet) in zip(rows, numbers[known:], held["about"], strict=True)
        ]
        count = saved_entry(saved.get("count", 0))
        self.learn(past, numbers[: len(past)])
        self._waiting = [*map(Entry, waiting, numbers[len(past) : known])][-DELAY:]
        self.held, self.count = held_back[-MOST_HELD:], count


def _held(entry: Entry, band: int, excess_db: float) -> HeldEntry:
    pair = float(entry.levels[band : band + 2].mean())
    return HeldEntry(entry, band, pair - (1 - GONE_SHARE) * excess_db)
