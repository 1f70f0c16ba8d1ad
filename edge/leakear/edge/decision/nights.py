"""Nights: what lasts through the quietest hours of night after night is a leak; everything else ends.

Between 02:00 and 04:00 of the place's own time zone, uses, traffic and machines are fewest. The excess over the
background that stands through nine tenths of these hours is the excess of the night. A night counts as risen when it
is above the limit that the node has learnt from its own past nights; LEAK needs two risen nights of three, as noise
loggers do (`night_rule`). The limit is learnt on the very statistic that decides: the second largest of three nights
running. So one long use of water in one night neither alarms nor raises the limit. Pure: no clock, no I/O.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import numpy as np

from leakear.edge.background.night_rule import FEWEST, NODE
from leakear.edge.background.own_limit import OwnLimit, Variation
from leakear.edge.background.saved import saved_db, saved_pair
from leakear.edge.background.third_octaves import CENTRES_HZ, Bands
from leakear.edge.decision.observation import LOUD_DB, UNLIKE, Observation, State

STANDS = 10
"""Percentile over the excesses of the night."""
HEARD = 0.5
"""Share of the night that must have been judged."""
SINCE_INSTALLATION = 0.9
"""Share of on windows in each of the first nights from which a leak may have been there before the node."""


GONE_SHARE = 0.1
"""Of the excess of a risen night: with less than this left in its bands the sound has ended."""
GONE_S = 3600.0
"""Seconds that must show it."""


@dataclass(frozen=True, slots=True)
class Night:
    """What one night had that the nights before it had not."""

    day: int
    """its date, as the ordinal of the proleptic Gregorian calendar"""
    excess_db: float
    """dB over the background that stood through nine tenths of it"""
    band: int
    """index of the lower of the two third octaves of the excess"""
    level_db: float
    """mean level of the two, dB re a full-scale sine"""
    score: float
    """mean P(leak) of its windows, 0 to 1"""
    limit_db: float | None
    """the node's own limit for that night, dB; None: too few nights were known"""

    @property
    def hz(self) -> float:
        """Frequency of the excess."""
        return float(np.sqrt(CENTRES_HZ[self.band] * CENTRES_HZ[self.band + 1]))

    @property
    def risen(self) -> bool:
        """Whether it is above the limit, with a sound that may be a leak's."""
        if self.limit_db is None or self.excess_db <= self.limit_db:
            return False
        return self.excess_db < LOUD_DB or self.score >= UNLIKE


class Nights:
    """The nights of one node, and what they say of its pipe."""

    def __init__(self) -> None:
        self.state = State.OK
        """OK, WARNING or LEAK"""
        self.reason = ""
        """why it changed last"""
        self.known = 0
        """nights judged so far"""
        self.variation = Variation()
        self._last: deque[Night] = deque(maxlen=NODE.nights)
        self._limit = OwnLimit()  # of the second largest excess of three nights running, without the last three
        self._always_on = True  # whether every night so far sounded like a leak
        self._gone_s = 0.0  # for how long the sound of the risen nights is no longer heard
        self._tonight = _Tonight()

    @property
    def last(self) -> tuple[Night, ...]:
        """The last three nights, the newest last."""
        return tuple(self._last)

    @property
    def limit_db(self) -> float:
        """The excess above which the next night counts as risen, dB."""
        return self._limit.db(self.variation.change_db)

    def update(self, local: datetime, seen: Observation, threshold: float, hours: tuple[int, int]) -> Night | None:
        """Take one window that ended at the local time; return the night when it is over.

        `threshold`: P(leak) from which a window counts as on. `hours`: first and last minute of the night.
        """
        minutes = (hours[1] - hours[0]) % 1440
        inside = (local.hour * 60 + local.minute - hours[0]) % 1440 < minutes
        day = (local - timedelta(minutes=hours[0])).toordinal()  # on which the night began
        closed = None
        if self._tonight.day is not None and not (inside and self._tonight.day == day):
            closed = self._over(minutes * 60.0)
        if inside:
            self._tonight.add(day, seen, threshold)
        elif closed is None and self.state is not State.OK and seen.quiet is not None:
            self._follow_gone(seen.quiet, seen.step_s)
        return closed

    def _over(self, night_s: float) -> Night | None:
        tonight, self._tonight = self._tonight, _Tonight()
        known = bool(self._last) and self._last[-1].day == tonight.day  # the clock was set back
        if known or tonight.judged_s < HEARD * night_s:
            return None
        limit_db = self.limit_db if self.known >= FEWEST else None
        self.known += 1
        self._always_on = self._always_on and tonight.on_share >= SINCE_INSTALLATION
        night = tonight.night(limit_db) if tonight.compared_s >= HEARD * night_s else None
        if tonight.apart and not (night and night.risen):
            self.variation.add(float(np.median(tonight.apart)))
        if night is not None:
            if len(self._last) == NODE.nights and not any(n.risen for n in self._last):
                self._limit.add(float(NODE.reached(np.array([n.excess_db for n in self._last]))))
            self._last.append(night)
        self._decide()
        return night

    def _decide(self) -> None:
        """Say what the last three nights mean."""
        risen = [night.risen for night in self._last]
        newest = self._last[-1] if self._last else None
        if newest is None or not any(risen[-2:]):
            state, why = State.OK, "two nights without it"
        elif NODE.lasting(risen) or self.state is State.LEAK:
            state, why = State.LEAK, f"{newest.excess_db:.1f} dB over the background in {sum(risen)} of 3 nights"
        else:
            state, why = State.WARNING, f"{newest.excess_db:.1f} dB over the background through the night"
        if state is not State.OK and newest is not None and newest.limit_db is not None:
            why += (
                f" around {newest.hz:.0f} Hz (limit of this node {newest.limit_db:.1f} dB, {self.known} nights known)"
            )
        elif self.known >= 2 and self._always_on:
            state, why = State.WARNING, "sounds like a leak in every night since installation"
        self._say(state, why)

    def _follow_gone(self, quiet: Bands, step_s: float) -> None:
        """End the suspicion when nothing is left of the excess in its bands."""
        night = next((night for night in reversed(self._last) if night.risen), None)
        if night is None:
            return
        left_db = night.level_db - (1 - GONE_SHARE) * night.excess_db
        here = float(quiet[night.band : night.band + 2].mean()) <= left_db
        self._gone_s = self._gone_s + step_s if here else 0.0
        if self._gone_s >= GONE_S:
            self._last.clear()
            self._say(State.OK, "what rose in the night is no longer heard")

    def _say(self, state: State, why: str) -> None:
        if state is not self.state:
            self.state, self.reason, self._gone_s = state, why, 0.0

    def accept(self) -> None:
        """Learn that the last nights held no leak: a person has stated it."""
        for night in self._last:
            self._limit.teach(night.excess_db)
        self._last.clear()
        self._always_on, self._tonight = False, _Tonight()
        self._say(State.OK, "a person has stated that there is no leak")

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values."""
        return {
            "state": self.state.value,
            "last": [asdict(night) for night in self._last],
            "limit": self._limit.snapshot(),
            "variation": self.variation.snapshot(),
            "known": self.known,
            "always_on": self._always_on,
            "gone_s": round(self._gone_s, 1),
            "tonight": self._tonight.snapshot(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `snapshot`. Raises ValueError, TypeError or KeyError."""
        variation, tonight = Variation(map(saved_db, saved["variation"])), _Tonight()
        tonight.restore(saved["tonight"])
        last, limit = [_night(**night) for night in saved["last"]], OwnLimit(map(saved_db, saved["limit"]))
        gone_s, known = float(saved.get("gone_s", 0.0)), max(0, int(saved["known"]))
        self.state, self.known, self._always_on = State(saved["state"]), known, bool(saved["always_on"])
        self.variation, self._tonight, self._last, self._limit = (
            variation,
            tonight,
            deque(last, maxlen=NODE.nights),
            limit,
        )
        self._gone_s = gone_s


_SUMS = {"judged_s": "judged_s", "compared_s": "compared_s", "on_s": "_on_s", "scores": "_scores"}
"""Sums over the windows of a night: name in the saved state → attribute."""


class _Tonight:
    """The night that is being heard."""

    def __init__(self) -> None:
        self.day: int | None = None
        self.judged_s = 0.0
        self.compared_s = 0.0
        self.excesses: list[tuple[float, int, float]] = []  # (dB, band, level dB)
        self.apart: list[float] = []  # `apart_db` of the windows
        self._on_s = self._scores = 0.0

    @property
    def on_share(self) -> float:
        return self._on_s / self.judged_s if self.judged_s else 0.0

    def add(self, day: int, seen: Observation, threshold: float) -> None:
        if self.day is None:
            self.day = day
        on = seen.score is not None and seen.score >= threshold
        if seen.usable and seen.score is not None and (on or not seen.low_confidence):
            self.judged_s += seen.step_s
            self._on_s += seen.step_s * on
            self._scores += seen.step_s * seen.score
        if seen.excess is not None:  # weather, too: it rarely fills two nights of three
            self.compared_s += seen.step_s
            self.excesses.append((round(seen.excess.db, 2), seen.excess.band, round(seen.excess.level_db, 2)))
        if seen.apart_db is not None:
            self.apart.append(round(seen.apart_db, 2))

    def night(self, limit_db: float | None) -> Night:
        assert self.day is not None
        stands = float(np.percentile([db for db, _, _ in self.excesses], STANDS))
        _, band, level_db = min(self.excesses, key=lambda row: abs(row[0] - stands))
        return Night(self.day, stands, band, level_db, self._scores / self.judged_s, limit_db)

    def snapshot(self) -> dict[str, Any]:
        sums = {name: getattr(self, attribute) for name, attribute in _SUMS.items()}
        return {"day": self.day, **sums, "excesses": [list(row) for row in self.excesses], "apart": self.apart}

    def restore(self, saved: Mapping[str, Any]) -> None:
        self.excesses = [(saved_db(db), saved_pair(band), saved_db(level)) for db, band, level in saved["excesses"]]
        self.apart = [saved_db(db) for db in saved["apart"]]
        self.day = None if saved["day"] is None else int(saved["day"])
        for name, attribute in _SUMS.items():
            setattr(self, attribute, float(saved[name]))


def _night(*, day: Any, excess_db: Any, band: Any, level_db: Any, score: Any, limit_db: Any) -> Night:
    """Read a saved night. Raises ValueError or TypeError."""
    limit_db = None if limit_db is None else saved_db(limit_db)
    return Night(int(day), saved_db(excess_db), saved_pair(band), saved_db(level_db), float(score), limit_db)


def local_time(utc: float, zone: tzinfo | None) -> datetime:
    """Return the local time of a POSIX time; `zone` None: that of the system."""
    return datetime.fromtimestamp(utc, zone) if zone else datetime.fromtimestamp(utc).astimezone()
