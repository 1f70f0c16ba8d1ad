"""Dates of a table as people and spreadsheets write them, as ISO 8601.

Day or month first is decided once for the whole column, by its days after the 12th; where none is, the day is first, as
in most of the world, and that is said.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import TypeAlias

from leakear.edge.texts import plain, printable

_CLOCK = r"(?:[T ,]+(\d{1,2})[:h](\d\d)(?::\d\d(?:[.,]\d+)?)?\s*([ap])?\.?m?\.?(?:Z|[+-]\d\d:?\d\d)?)?"
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})" + _CLOCK, re.IGNORECASE)
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d\d)" + _CLOCK, re.IGNORECASE)
_NAMED = re.compile(r"(\d{1,2})[\s./-]*(?:de )?([^\W\d]{3,10})[\s./-]*(?:de )?(\d{4}|\d\d)" + _CLOCK, re.IGNORECASE)
_SERIAL = re.compile(r"(\d{5})(?:[.,]\d*)?")
_MONTHS = {
    "jan": 1, "ene": 1, "feb": 2, "fev": 2, "mar": 3, "apr": 4, "abr": 4, "may": 5, "mai": 5, "jun": 6, "jul": 7,
    "aug": 8, "ago": 8, "sep": 9, "set": 9, "oct": 10, "out": 10, "okt": 10, "nov": 11, "dec": 12, "dez": 12, "dic": 12,
}  # fmt: skip
"""The first three letters in English, Portuguese, Spanish and German."""
_EPOCH = date(1899, 12, 30)
"""Day 0 of spreadsheet programs."""
_Clock: TypeAlias = tuple[str | None, str | None, str | None]
"""Hour, minute, a or p."""


def as_iso(written: Sequence[str | None]) -> tuple[list[str | None], list[str]]:
    """Return the dates of a column as ISO 8601, and what a person should know about it.

    A cell that is no date stays as it is.
    """
    texts = [text for text in written if text]
    order, remark = _order(texts)
    found = {text: _iso(text, day_first=order) for text in texts}
    unknown = [text for text, iso in found.items() if iso is None]
    remarks = [remark] if remark else []
    if unknown:
        remarks.append(f"not understood as a date and kept as written: {printable(unknown[0])!r}{_more(len(unknown))}")
    return [(found[text] or text) if text else None for text in written], remarks


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""


def _order(texts: Sequence[str]) -> tuple[bool, str]:
    """Return whether the day is first, and a remark where that is not certain."""
    pairs = [(int(m[1]), int(m[2]), text) for text in texts if (m := _YEAR_LAST.fullmatch(text.strip()))]
    days, months = any(first > 12 for first, _, _ in pairs), any(second > 12 for _, second, _ in pairs)
    if days != months:
        return days, ""
    doubtful = next((text for first, second, text in pairs if first != second and max(first, second) <= 12), "")
    return True, f"dates such as {printable(doubtful)} are read as day/month/year" if doubtful else ""


def _iso(text: str, *, day_first: bool) -> str | None:
    for year, month, day, clock in _readings(text.strip(), day_first=day_first):
        try:
            return date(year + 2000 * (year < 100), month, day).isoformat() + _time(*clock)
        except ValueError:
            continue
    return None


def _readings(text: str, *, day_first: bool) -> Iterator[tuple[int, int, int, _Clock]]:
    if m := _YEAR_FIRST.fullmatch(text):
        yield int(m[1]), int(m[2]), int(m[3]), (m[4], m[5], m[6])
    if m := _YEAR_LAST.fullmatch(text):
        for first_is_day in (day_first, not day_first):  # the other order, where this one is no date
            day, month = (m[1], m[2]) if first_is_day else (m[2], m[1])
            yield int(m[3]), int(month), int(day), (m[4], m[5], m[6])
    if (m := _NAMED.fullmatch(text)) and (number := _MONTHS.get(plain(m[2])[:3])):
        yield int(m[3]), number, int(m[1]), (m[4], m[5], m[6])
    if m := _SERIAL.fullmatch(text):
        day_of = _EPOCH + timedelta(days=int(m[1]))
        yield day_of.year, day_of.month, day_of.day, (None, None, None)


def _time(hour: str | None, minute: str | None, half: str | None) -> str:
    """Return the time of day as ISO 8601; a ValueError where it is none."""
    if hour is None or minute is None:
        return ""
    at = int(hour) % 12 + 12 * (half.lower() == "p") if half else int(hour)
    if at > 23 or int(minute) > 59:
        raise ValueError(f"{hour}:{minute} is no time")
    return f"T{at:02}:{minute}"
