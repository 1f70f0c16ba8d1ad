"""Cells of a table that somebody exported: numbers and dates, however they are written."""

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from itertools import pairwise

from leakear.edge.texts import plain

LARGEST = 500.0
"""A level beyond this, up or down, stands for "no reading" (999, -999, 65535)."""
LONGEST = 100
"""characters of a number or a date at most: the expressions below take the square of a cell's length"""
_NUMBER = re.compile(
    r"[<>~≈=]?\s*([+\-−]?)\s*(\d[\d.,'\u00a0\u202f ]*|[.,]\d+)\s*(?:dba?|dbfs|units?|u\.?)?", re.IGNORECASE
)
_PARTS = re.compile(r"(\d{1,4})([\s./\-]+)(\d{1,2})\2(\d{1,4})")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_NAMED = re.compile(r"(\d{1,4})[\s.\-/]*(?:de\s+)?([^\W\d_]{3,10})\.?[\s.\-/,]*(?:de\s+)?(\d{1,4})")
_NAMED_FIRST = re.compile(r"([^\W\d_]{3,10})\.?[\s\-]*(\d{1,2})(?:st|nd|rd|th)?,?[\s\-]*(\d{4})")
_WEEKDAY = re.compile(r"([^\W\d_]{2,13})\.?,?\s+(?=\d)")
_CLOCK = re.compile(
    r"[\sT]+(\d{1,2})[:h.]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?\s*([ap]\.?m\.?)?\s*(?:z|utc|[+\-]\d\d:?\d\d)?$",
    re.IGNORECASE,
)
_MONTHS = {
    start: number
    for number, starts in enumerate(
        ("jan ene gen", "feb fev", "mar mrz", "apr abr avr", "may mai mag", "jun giu", "jul lug", "aug ago aou",
         "sep set", "oct out okt ott", "nov", "dec dez dic"), 1,
    )
    for start in starts.split()
}  # fmt: skip
_EXCEL = date(1899, 12, 30).toordinal()
_SERIAL = re.compile(r"[345]\d{4}(?:[.,]\d+)?")
_EVENING = 18


@lru_cache(maxsize=100_000)
def number(text: str) -> float | None:
    """Return the number of a cell; None for blanks, text, and what stands for no reading.

    Decimal point or comma, a unit behind it, `<` before it; the last of `.` and `,` is the decimal mark.
    """
    found = _NUMBER.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if found is None:
        return None
    digits = re.sub(r"['\s\u00a0\u202f]", "", found[2])
    mark = max(digits.rfind("."), digits.rfind(","))
    if mark >= 0:
        whole = re.sub(r"[.,]", "", digits[:mark])
        digits = f"{whole or 0}.{digits[mark + 1 :] or 0}"
    value = float(digits) * (-1 if found[1] in "-−" and found[1] else 1)
    return value if abs(value) < LARGEST else None


@lru_cache(maxsize=100_000)
def readings_of(text: str) -> tuple[tuple[str, int], ...]:
    """Return what a cell may mean as a date: (order, ordinal day); empty: it is no date.

    A time late in the evening belongs to the night that follows.
    """
    if len(text) > LONGEST:
        return ()
    text = text.strip().strip("'\"")
    word = _WEEKDAY.match(text)
    if word is not None and not _month(word[1]):
        text = text[word.end() :]
    clock = _CLOCK.search(text)
    late = 0
    if clock is not None and clock.start():
        hour = int(clock[1]) % 12 + 12 if (clock[2] or "").lower().startswith("p") else int(clock[1])
        late, text = int(hour >= _EVENING), text[: clock.start()].strip()
    return tuple((order, day + late) for order, day in _days(text))


def is_date(text: str) -> bool:
    """Whether a cell is a date and nothing else; days as spreadsheets count are only numbers."""
    return bool(readings_of(text)) and not is_serial(text)


def is_serial(text: str) -> bool:
    """Whether a cell may be a day as spreadsheets count."""
    return _SERIAL.fullmatch(text.strip()) is not None


def _days(text: str) -> Iterable[tuple[str, int]]:
    if found := _PARTS.fullmatch(text):
        first, middle, last = found[1], found[3], found[4]
        tries = (
            [("ymd", first, middle, last)]
            if len(first) > 2
            else [("dmy", last, middle, first), ("mdy", last, first, middle)]
        )
    elif found := _COMPACT.fullmatch(text):
        tries = [("ymd", found[1], found[2], found[3])]
    elif (found := _NAMED.fullmatch(text)) and (month := _month(found[2])):
        first, last = found[1], found[3]
        tries = [("", first, month, last) if len(first) > 2 else ("", last, month, first)]
    elif (found := _NAMED_FIRST.fullmatch(text)) and (month := _month(found[1])):
        tries = [("", found[3], month, found[2])]
    elif _SERIAL.fullmatch(text):  # a day as spreadsheets count
        return [("", _EXCEL + int(text[:5]))]
    else:
        return []
    days = [(order, _ordinal(year, month, day)) for order, year, month, day in tries]
    return [(order, day) for order, day in days if day is not None]


def _month(word: str) -> str:
    return str(_MONTHS.get(plain(word)[:3], ""))


def _ordinal(year: str, month: str, day: str) -> int | None:
    full = int(year) + (2000 if len(year) == 2 and int(year) < 70 else 1900 if len(year) == 2 else 0)
    try:
        return date(full, int(month), int(day)).toordinal() if 1970 <= full <= 2100 else None
    except ValueError:
        return None


def order_of(texts: Iterable[str]) -> tuple[str, bool]:
    """Return the order of day and month that a file's dates have, and whether it was only a guess.

    The order in which more of them are dates; else the one in which they follow one another more closely.
    """
    days: dict[str, list[int]] = {"dmy": [], "mdy": []}
    for text in dict.fromkeys(texts):
        for order, day in readings_of(text):
            if order in days:
                days[order].append(day)
    counts = {order: len(found) for order, found in days.items()}
    if counts["dmy"] != counts["mdy"]:
        return max(counts, key=lambda order: counts[order]), False
    gaps = {order: _gaps(found) for order, found in days.items()}
    return ("mdy" if gaps["mdy"] < gaps["dmy"] else "dmy"), bool(counts["dmy"])


def _gaps(days: list[int]) -> float:
    return sum(min(later - day, 60) for day, later in pairwise(sorted(set(days))))


def day_of(text: str, order: str) -> int | None:
    """Return the ordinal day of a cell; None: it is no date in this order."""
    return next((day for found, day in readings_of(text) if found in ("", "ymd", order)), None)
