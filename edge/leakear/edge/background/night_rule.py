"""The night rule: whether what a place does at night is a lasting rise.

One night proves little, several nights in a row prove a lot. So a night counts as risen when it is above the limit of
its place, which follows from the past of the place itself; a rise lasts when enough of the last nights are risen. The
node follows the excess over its background with it (`nights`), the dashboard the night levels of any logger (`follow`).
Pure: no clock, no I/O.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leakear.edge.background.own_limit import DAYS, change_db, largest_of_past

Numbers: TypeAlias = NDArray[np.float64]
FEWEST = 3
"""Nights that must be known before one can count as risen."""


@dataclass(frozen=True, slots=True)
class NightRule:
    """How many nights it takes. Each method takes any leading dimensions, one entry for each place."""

    repeats: int
    """risen nights that make a lasting rise"""
    nights: int
    """… among so many last ones"""
    odd: float = 0.0
    """share of the past, from the largest down, that does not count; one night never counts"""

    def reached(self, levels: Numbers) -> Numbers:
        """Return the level that `repeats` of the last nights reached: that is what is compared with the past.

        `levels`: shape (..., nights). Returns shape (...).
        """
        return np.asarray(np.partition(levels, -self.repeats, axis=-1)[..., -self.repeats], np.float64)

    def limit(self, past: ArrayLike, margin: ArrayLike) -> Numbers:
        """Return the level above which the next night is risen.

        `past`: shape (..., n), what `reached` gave for earlier nights, -inf where nothing is known. `margin`: shape
        (...), in the unit of the levels.
        """
        return np.asarray(largest_of_past(past, self.odd) + np.asarray(margin, np.float64))

    def lasting(self, risen: ArrayLike) -> NDArray[np.bool_]:
        """Tell whether the rise lasts. `risen`: shape (..., nights), whether each of the last nights was risen."""
        return np.asarray(np.asarray(risen, bool).sum(axis=-1) >= self.repeats)


NODE = NightRule(repeats=2, nights=3)
"""What a node follows: the excess of a night, two of three."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What the rule says of each night; every array has the shape (places, nights)."""

    risen: NDArray[np.bool_]
    """above the limit that the place had that night"""
    lasting: NDArray[np.bool_]
    """the rise lasts, that night included"""
    strength: Numbers
    """by how many changes of the place the last nights reach above its past; NaN: too little is known"""
    known: NDArray[np.intp]
    """nights of the past that the limit follows from"""


class Margins:
    """The margin over the past as a multiple of the change of a place, the same for all; subclasses know better."""

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def factor(self, known: NDArray[np.intp]) -> Numbers:
        """Return the multiple where so many nights of the past are known, shape (places,)."""
        return np.full(known.shape, self._factor)


def follow(levels: Numbers, rule: NightRule, margins: Margins, *, step: float) -> Followed:
    """Follow the night levels of many places, night by night, as if each night were the newest.

    `levels`: shape (places, nights); nights without a level are left out beforehand, so NaN stands only behind the
    last night of a place. `step`: resolution of the levels; a change below half of it is not seen. What was heard
    during a lasting rise never joins the past, other nights join after as many nights as the rule looks at.
    """
    places, nights = levels.shape
    shape = (places, nights)
    out = Followed(np.zeros(shape, bool), np.zeros(shape, bool), np.full(shape, np.nan), np.zeros(shape, np.intp))
    if nights <= rule.nights:
        return out
    windows = np.lib.stride_tricks.sliding_window_view(levels, rule.nights, axis=1)
    reached = np.full(shape, np.nan)
    reached[:, rule.nights - 1 :] = rule.reached(windows)
    changes = np.abs(np.diff(levels, axis=1))
    past = _Past(places)
    for night in range(rule.nights, nights):
        old = night - rule.nights
        if old >= rule.nights - 1:  # a rise that the window shows must not be part of the past it is held against
            held = out.lasting[:, old:night].any(axis=1)
            past.add(reached[:, old], ~held & np.isfinite(levels[:, night]))
        change = change_db(changes[:, max(0, old - DAYS) : old]) + step / 2
        reference = rule.limit(past.values, 0.0)
        ready = past.known >= FEWEST
        limit = np.where(ready, reference + margins.factor(past.known) * change, np.inf)
        out.risen[:, night] = levels[:, night] > limit
        out.lasting[:, night] = rule.lasting(out.risen[:, night - rule.nights + 1 : night + 1])
        out.strength[:, night] = np.where(ready, (reached[:, night] - reference) / change, np.nan)
        out.known[:, night] = past.known
    return out


class _Past:
    """The last quarter of every place, shape (places, DAYS); -inf: not known yet."""

    def __init__(self, places: int) -> None:
        self.values = np.full((places, DAYS), -np.inf)
        self._added = np.zeros(places, np.intp)

    @property
    def known(self) -> NDArray[np.intp]:
        return np.minimum(self._added, DAYS)

    def add(self, values: Numbers, where: NDArray[np.bool_]) -> None:
        places = np.flatnonzero(where)
        self.values[places, self._added[places] % DAYS] = values[places]
        self._added[places] += 1
