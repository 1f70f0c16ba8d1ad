"""[schedule]: the hours of the local day in which a node listens. Pure: no clock.

A clock change never shortens listening: hours that summer time skips are listened to right after it, hours that come
twice are listened to twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from leakear.edge.errors import ConfigError
from leakear.edge.options import option

LEAST_MIN = 30
"""minutes of the shortest listening: less is never enough for a decision"""
DAY_MIN = 1440


@dataclass(frozen=True)
class ScheduleOptions:
    """[schedule]: when the node listens; in between the microphone is closed and the broker is left."""

    listen: tuple[str, ...] = option(
        (),
        'hours in which the node listens, as ["02:00-04:00"], in the time zone of [decision]; empty: always',
        items=(0, 24),
        max_length=11,
    )

    def __post_init__(self) -> None:
        _ = self.spans

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """First minute of the local day and length in minutes of each. Raises ConfigError where one is not readable."""
        return tuple(map(_span, self.listen))

    def schedule(self, zone: tzinfo | None) -> "Schedule":
        """Return the hours of a place. `zone` None: that of the system."""
        return Schedule(self.spans, zone)

    def share_heard(self, first: int, last: int, *, warm_min: int = 0) -> float:
        """Return the share of a span of the local day that is listened to, 0 to 1; `first` and `last` minute.

        `warm_min`: minutes after each sleep that do not count.
        """
        awake = _minutes(self.spans)
        warm = {minute for minute in awake if all((minute - m) % DAY_MIN in awake for m in range(warm_min + 1))}
        span = _minutes([(first, (last - first) % DAY_MIN)])
        return len(warm & span) / len(span) if awake else 1.0

    @property
    def longest_sleep_s(self) -> float:
        """Longest time from one listening to the next, s; 0: it never sleeps."""
        awake = _minutes(self.spans)
        if not awake:
            return 0.0
        longest = run = 0
        for minute in range(2 * DAY_MIN):
            run = 0 if minute % DAY_MIN in awake else run + 1
            longest = max(longest, run)
        return 60.0 * longest


@dataclass(frozen=True)
class Schedule:
    """The hours of one place; without spans it always listens."""

    spans: tuple[tuple[int, int], ...]
    """first minute of the local day, and length in minutes"""
    zone: tzinfo | None
    """None: that of the system"""

    def asleep_until(self, utc: float) -> float | None:
        """Return until when a node sleeps at this time; None: it listens. All in s since 1970."""
        if not self.spans:
            return None
        times = list(self._times(utc))
        if any(begin <= utc < end for begin, end in times):
            return None
        return min(begin for begin, _ in times if begin > utc)

    @property
    def awake_s(self) -> float:
        """Seconds of an ordinary day in which it listens."""
        return 60.0 * (len(_minutes(self.spans)) or DAY_MIN)

    def _times(self, utc: float) -> Iterator[tuple[float, float]]:
        """Yield beginning and end of each listening around this time, s since 1970."""
        today = datetime.fromtimestamp(utc, self.zone).date()
        for ahead in (-1, 0, 1, 2):
            for first, length in self.spans:
                begin = self._at(today + timedelta(days=ahead), first, 0)
                end = self._at(today + timedelta(days=ahead), first + length, 1)
                yield begin, max(end, begin + 60.0 * length)

    def _at(self, day: date, minute: int, fold: int) -> float:
        """Return the time of a minute of a local day. `fold`: 0 is the first of two that are the same, 1 the second."""
        day += timedelta(days=minute // DAY_MIN)
        hour, minute = divmod(minute % DAY_MIN, 60)
        return datetime(day.year, day.month, day.day, hour, minute, fold=fold, tzinfo=self.zone).timestamp()


def _span(text: str) -> tuple[int, int]:
    try:
        begin, end = (_minute(part) for part in text.split("-"))
    except ValueError:
        raise ConfigError(f'[schedule] listen {text!r}: write it as "02:00-04:00"') from None
    length = (end - begin) % DAY_MIN
    if length < LEAST_MIN:
        what = "is empty" if not length else f"has {length} minutes"
        raise ConfigError(f"[schedule] listen {text!r} {what}: {LEAST_MIN} at least, to decide anything")
    return begin, length


def _minute(text: str) -> int:
    hour, minute = (int(part) for part in text.split(":") if part.isascii() and part.isdecimal() and len(part) == 2)
    if hour > 23 or minute > 59:
        raise ValueError(text)
    return hour * 60 + minute


def _minutes(spans: Iterable[tuple[int, int]]) -> set[int]:
    """Return the minutes of the local day in which it listens."""
    return {(first + offset) % DAY_MIN for first, length in spans for offset in range(length)}
