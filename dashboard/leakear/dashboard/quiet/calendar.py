"""Quiet times as rules of a calendar: read from iCalendar, or made from a form. Pure: no database, no clock.

Occurrences are reckoned in the entry's own time zone, so that "every night at 22:00" stays at 22:00 when clocks change.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from icalendar import Calendar

from leakear.edge.errors import InputDataError

KINDS = ("irrigation", "filling", "construction", "other")
REPEATS = {"": None, "daily": "FREQ=DAILY", "weekly": "FREQ=WEEKLY"}
"""repeat of an entry made by hand → rule"""
LONGEST_S = 31 * 86400.0
"""seconds of one occurrence at most: a leak must not be held back for ever"""
MOST = 500
"""entries of one file, and occurrences that are looked at"""
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
LARGEST = 256 * 1024
"""bytes of a calendar file"""


@dataclass(frozen=True)
class Entry:
    """When noise is expected: one span, or one that recurs."""

    title: str
    zone: str
    """IANA name of the time zone in which it is reckoned"""
    start: str
    """first beginning in that zone, ISO without offset"""
    seconds: float
    rule: str | None = None
    """RRULE of RFC 5545 without its name; None: once"""
    extra: tuple[str, ...] = ()
    """further beginnings"""
    without: tuple[str, ...] = ()
    """beginnings left out"""

    def to_json(self) -> str:
        """Return it as it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Entry":
        """Return what `to_json` has written."""
        values = json.loads(text)
        return cls(**{**values, "extra": tuple(values["extra"]), "without": tuple(values["without"])})


def by_hand(title: str, start: float, end: float, zone: str, repeat: str) -> Entry:
    """Make an entry of a form. Raises InputDataError: one sentence that names the field."""
    if repeat not in REPEATS:
        raise InputDataError(f"repeat is {repeat[:40]!a}: use {', '.join(filter(None, REPEATS))} or nothing.")
    began = datetime.fromtimestamp(start, _zone(zone)).replace(tzinfo=None, microsecond=0)  # rules have whole seconds
    return _checked(Entry(title[:120], zone, began.isoformat(), end - start, REPEATS[repeat]))


def read_ics(text: str) -> list[Entry]:
    """Read the events of a calendar file (RFC 5545). Raises InputDataError for a file that is none, or has too many."""
    if len(text) > LARGEST:
        raise InputDataError(f"The calendar is larger than {LARGEST >> 10} KiB: export fewer events.")
    try:
        events = list(Calendar.from_ical(text).walk("VEVENT"))
        if not 0 < len(events) <= MOST:
            raise InputDataError(f"The calendar has {len(events)} events: it takes 1 to {MOST}.")
        return [_checked(entry) for entry in _entries(events)]
    except (ValueError, KeyError, AttributeError, TypeError, IndexError, OverflowError) as error:
        raise InputDataError(f"The file is no calendar that can be read (RFC 5545): {str(error)[:120]}.") from error


def _entries(events: list[Any]) -> Iterator[Entry]:
    """Yield the entries; an occurrence that was moved leaves its series and is an entry of its own."""
    moved: dict[str, list[Any]] = {}
    for event in events:
        if "RECURRENCE-ID" in event:
            moved.setdefault(str(event.get("UID")), []).append(event)
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        entry = _entry(event)
        if "RECURRENCE-ID" not in event:
            left = [_local(one["RECURRENCE-ID"].dt, entry.zone) for one in moved.get(str(event.get("UID")), [])]
            entry = replace(entry, without=(*entry.without, *left))
        yield entry


def _entry(event: Any) -> Entry:
    start: date = event["DTSTART"].dt
    zone = _name(start.tzinfo) if isinstance(start, datetime) else "UTC"
    if "DTEND" in event:
        seconds = (_moment(event["DTEND"].dt, zone) - _moment(start, zone)).total_seconds()
    elif "DURATION" in event:
        seconds = event["DURATION"].dt.total_seconds()
    else:
        seconds = 0.0 if isinstance(start, datetime) else 86400.0
    rule = event.get("RRULE")
    if isinstance(rule, list):
        raise InputDataError("An event has several RRULE: leave one, and make further events of the others.")
    return Entry(
        title=str(event.get("SUMMARY", ""))[:120], zone=zone, start=_local(start, zone), seconds=seconds,
        rule=rule.to_ical().decode() if rule else None,
        extra=tuple(_dates(event.get("RDATE"), zone)), without=tuple(_dates(event.get("EXDATE"), zone)),
    )  # fmt: skip


def _dates(found: Any, zone: str) -> Iterator[str]:
    for group in found if isinstance(found, list) else [found] if found else []:
        for each in group.dts:
            yield _local(each.dt[0] if isinstance(each.dt, tuple) else each.dt, zone)


def _moment(at: date, zone: str) -> datetime:
    if not isinstance(at, datetime):
        at = datetime.combine(at, time())
    return at if at.tzinfo else at.replace(tzinfo=_zone(zone))


def _local(at: date, zone: str) -> str:
    return _moment(at, zone).astimezone(_zone(zone)).replace(tzinfo=None).isoformat()


def _name(zone: tzinfo | None) -> str:
    """Return the IANA name of a zone; what has none is reckoned in UTC."""
    name = getattr(zone, "key", None) or "UTC"
    return str(name)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputDataError(f"There is no time zone {name[:60]!a}: use an IANA name, as Europe/Lisbon.") from error


def _checked(entry: Entry) -> Entry:
    if not 60 <= entry.seconds <= LONGEST_S:
        raise InputDataError(
            f"A quiet time lasts 1 minute to {LONGEST_S / 86400:.0f} days, not {entry.seconds / 60:g} min."
        )
    if entry.rule and not any(f"FREQ={name}" in entry.rule.upper() for name in FREQUENCIES):
        raise InputDataError(f"A quiet time recurs {', '.join(FREQUENCIES).lower()}, not as {entry.rule[:60]!a} says.")
    next(spans(entry, 0.0, 1.0), None)  # refuse a rule that cannot be read
    return entry


def spans(entry: Entry, since: float, until: float) -> Iterator[tuple[float, float]]:
    """Yield the occurrences that touch a span of time, as POSIX seconds. Raises InputDataError for a wrong rule."""
    zone = _zone(entry.zone)
    low = datetime.fromtimestamp(max(0.0, since - entry.seconds - 86400), zone).replace(tzinfo=None)
    high = datetime.fromtimestamp(until, zone).replace(tzinfo=None) + timedelta(days=1)
    for began in _beginnings(entry, low, high):
        start = began.replace(tzinfo=zone).astimezone(UTC).timestamp()
        if start < until and start + entry.seconds > since:
            yield start, start + entry.seconds


def _beginnings(entry: Entry, low: datetime, high: datetime) -> Iterable[datetime]:
    first = datetime.fromisoformat(entry.start)
    left = {datetime.fromisoformat(text) for text in entry.without}
    found = {datetime.fromisoformat(text) for text in entry.extra} | {first}
    if entry.rule:
        try:
            rule = rrulestr(_naive(entry.rule, entry.zone), dtstart=first)
            found.update(at for _, at in zip(range(MOST), rule.xafter(low, inc=True), strict=False) if at <= high)
        except (ValueError, TypeError, OverflowError) as error:
            raise InputDataError(f"The rule {entry.rule[:80]!a} of a quiet time cannot be read: {error}.") from error
    return sorted(at for at in found - left if low <= at <= high)


def _naive(rule: str, zone: str) -> str:
    """Return a rule whose end is a time of the entry's zone, as its beginnings are."""
    parts = dict(part.partition("=")[::2] for part in rule.upper().split(";"))
    if parts.get("UNTIL", "").endswith("Z"):
        end = datetime.strptime(parts["UNTIL"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        parts["UNTIL"] = f"{end.astimezone(_zone(zone)):%Y%m%dT%H%M%S}"
    return ";".join(f"{name}={value}" for name, value in parts.items())
