"""Which nights fall in a quiet time: they are shown, and not judged."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from leakear.dashboard.quiet.calendar import Entry, spans
from leakear.dashboard.quiet.tables import quiet_times

STRETCH_S = 300 * 86400.0
"""s of a rule that are reckoned at once: `spans` ends after MOST occurrences"""
Span = tuple[float, float]


def quiet_nights(connection: Connection, key: tuple[str, str], nights: Sequence[Span]) -> list[str | None]:
    """Return of each night (beginning and end, POSIX seconds, in order) the kind of a quiet time that it touches.

    None: it touches none. A quiet time that was removed counts no longer: a mistake must not hide a leak.
    """
    mine = (quiet_times.c.site == key[0], quiet_times.c.node.in_(("", key[1])), quiet_times.c.removed.is_(None))
    known = connection.execute(select(quiet_times.c.kind, quiet_times.c.entry).where(*mine)).all()
    found: list[str | None] = [None] * len(nights)
    if not nights:
        return found
    for one in known:
        times = sorted(_times(Entry.from_json(one.entry), nights[0][0], nights[-1][1]))
        for number in _touched(nights, times):
            found[number] = one.kind
    return found


def _times(entry: Entry, since: float, until: float) -> Iterator[Span]:
    while since < until:
        yield from spans(entry, since, min(since + STRETCH_S, until))
        since += STRETCH_S


def _touched(nights: Sequence[Span], times: Sequence[Span]) -> Iterator[int]:
    for number, (first, last) in enumerate(nights):
        if any(start < last and end > first for start, end in times):
            yield number
