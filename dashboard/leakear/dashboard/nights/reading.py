"""Reads anybody's history of night levels: one table, long or wide, as a logger's vendor or a spreadsheet exports it.

Long: a row a night (logger, date, level, spread). Wide: a row a logger and a column a night, or a column a logger and a
row a night. What cannot be read is counted and told, never guessed.
"""

import csv
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leakear.dashboard.nights.cells import day_of, number, order_of
from leakear.dashboard.nights.columns import MEANINGS, Layout, layout_of
from leakear.edge.errors import InputDataError
from leakear.edge.texts import decode_table, is_workbook, printable

LARGEST = 512 * 2**20
"""bytes"""
MOST = 20_000_000
"""nights of all loggers, each counted with as many as the one that has most: all are judged together"""
HEAD = 500
"""rows from which the layout of a file is told"""
_SEPARATORS = ",;\t|"
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """Night levels of many loggers, each packed: nights without a level are left out, NaN and -1 stand behind."""

    loggers: tuple[str, ...]
    days: NDArray[np.intp]
    """ordinals of the proleptic Gregorian calendar, shape (loggers, nights)"""
    levels: Numbers
    """lowest of each night, in the file's unit, shape (loggers, nights)"""
    spreads: Numbers
    """NaN: none is known"""
    notes: tuple[str, ...] = ()
    """sentences about what was left out or assumed"""


@dataclass
class _Found:
    """Readings as they are found."""

    name: str
    """of the file, for messages"""
    loggers: dict[str, int] = field(default_factory=dict)
    columns: "tuple[array[float], ...]" = field(default_factory=lambda: tuple(array("d") for _ in range(4)))
    """logger, day, level, spread: 32 bytes a reading"""
    unread: Counter[str] = field(default_factory=Counter)

    def add(self, logger: str, day: int, level: str, spread: str = "") -> None:
        value = number(level)
        if value is None:
            self.unread["levels that are no number" if level.strip() else "nights without a level"] += 1
            return
        if len(self.columns[0]) >= MOST:
            raise InputDataError(
                f"{self.name} holds over {MOST} night levels: export fewer loggers or nights at a time."
            )
        width = number(spread) if spread else None
        row = (self.loggers.setdefault(logger, len(self.loggers)), day, value, np.nan if width is None else width)
        for column, cell in zip(self.columns, row, strict=True):
            column.append(cell)


def read(path: Path, given: Mapping[str, str] | None = None, order: str = "") -> History:
    """Read a file. `given`: meaning (logger, date, level, spread) → heading of its column; `order`: dmy, mdy or "".

    Raises InputDataError: one sentence that names the file and the remedy; OSError.
    """
    name = printable(path)
    if not (path.is_file() or path.is_dir()) and path.exists():
        raise InputDataError(f"{name} is a device or pipe: save it as a file and name that.")
    if path.stat().st_size > LARGEST:
        raise InputDataError(f"{name} is larger than {LARGEST >> 20} MiB: export fewer loggers or nights at a time.")
    data = path.read_bytes()
    if is_workbook(data):
        raise InputDataError(f"{name} is a workbook: save the sheet as CSV and name that file.")
    table = _Table(decode_table(data), name)
    del data
    layout = layout_of(table.head, given or {}, name)
    guessed = False
    if not order:
        order, guessed = order_of(layout.dates(table.rows(layout.first)))
    found = _Found(name)
    {"long": _long, "nights across": _nights_across, "loggers across": _loggers_across}[layout.form](
        table.rows(layout.first), layout, order, found, path.stem
    )
    if not found.loggers:
        raise InputDataError(
            f"{name} holds no night level that can be read: it needs columns for {', '.join(MEANINGS)}; name them with "
            "--logger, --date and --level."
        )
    notes = [f"{count} {what} were left out." for what, count in found.unread.items()]
    if guessed:
        example = "day before month" if order == "dmy" else "month before day"
        notes.append(
            f"It is not certain whether the dates are day or month first: {example} was assumed (--date-order)."
        )
    return _packed(found, notes, name)


class _Table:
    """The cells of each row that is not empty, read anew each time: a file of many nights does not fit as cells."""

    def __init__(self, text: str, name: str) -> None:
        declared = text[:8].strip('"').lower().startswith("sep=")
        first, _, rest = text.partition("\n")
        self._text, self._name = (rest if declared else text).replace("\0", ""), name
        self._separator = (first.strip().strip('"')[4:5] if declared else _separator(self._text)) or ","
        self.head = list(islice(self.rows(), HEAD))
        """the first rows, from which the layout follows"""
        if not self.head:
            raise InputDataError(f"{name} is empty: it needs columns for {', '.join(MEANINGS)}.")

    def rows(self, first: int = 0) -> Iterator[list[str]]:
        """Yield the rows from this one on. Raises InputDataError."""
        return islice(self._rows(), first, None)

    def _rows(self) -> Iterator[list[str]]:
        lines = (found[0] for found in _LINE.finditer(self._text))
        reader = csv.reader(lines, delimiter=self._separator, skipinitialspace=True)
        try:
            for row in reader:
                cells = [cell.strip(" \t\u00a0\ufeff") for cell in row]
                if any(cells) and not cells[0].startswith("#"):
                    yield cells
        except csv.Error as error:
            raise InputDataError(f"{self._name} line {reader.line_num} cannot be read as CSV: {error}.") from error


def _separator(text: str) -> str:
    """Return the separator that cuts the first lines into the same number of cells, the more the better."""
    lines = [line for line in text[:200_000].splitlines() if line.strip()][:50]

    def regular(mark: str) -> tuple[int, int]:
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=mark))
        cells, times = max(counts.items(), key=lambda item: (item[0] > 1, item[1], item[0]), default=(1, 0))
        return (times if cells > 1 else 0, cells)

    try:
        return max(_SEPARATORS, key=regular)
    except csv.Error:
        return ","


def _cell(row: Sequence[str], at: int | None) -> str:
    return row[at] if at is not None and at < len(row) else ""


def _long(rows: Iterable[list[str]], layout: Layout, order: str, found: _Found, stem: str) -> None:
    for row in rows:
        day = day_of(_cell(row, layout.date), order)
        logger = _cell(row, layout.logger) if layout.logger is not None else stem
        if day is None or not logger:
            found.unread["rows without a date or a logger"] += 1
            continue
        found.add(logger, day, _cell(row, layout.level), _cell(row, layout.spread))


def _nights_across(rows: Iterable[list[str]], layout: Layout, order: str, found: _Found, _stem: str) -> None:
    nights = [(at, day_of(text, order)) for at, text in layout.across]
    for row in rows:
        logger = _cell(row, layout.logger)
        if not logger:
            found.unread["rows without a logger"] += 1
            continue
        for at, day in nights:
            if day is not None:
                found.add(logger, day, _cell(row, at), _cell(row, layout.spreads.get(at)))


def _loggers_across(rows: Iterable[list[str]], layout: Layout, order: str, found: _Found, _stem: str) -> None:
    for row in rows:
        day = day_of(_cell(row, layout.date), order)
        if day is None:
            found.unread["rows without a date"] += 1
            continue
        for at, logger in layout.across:
            found.add(logger, day, _cell(row, at), _cell(row, layout.spreads.get(at)))


def _packed(found: _Found, notes: list[str], name: str) -> History:
    """Sort by logger and day, keep the lowest of several readings of a night, and pack. Raises InputDataError."""
    table = np.column_stack([np.frombuffer(column) for column in found.columns])
    table = table[np.lexsort((table[:, 2], table[:, 1], table[:, 0]))]
    new = np.ones(len(table), bool)
    new[1:] = (np.diff(table[:, 0]) != 0) | (np.diff(table[:, 1]) != 0)
    if not new.all():
        notes.append(f"{int((~new).sum())} further readings of the same night were left out: the lowest counts.")
    table = table[new]
    logger = table[:, 0].astype(np.intp)
    counts = np.bincount(logger, minlength=len(found.loggers))
    place = np.arange(len(table)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = (len(counts), int(counts.max()))
    if shape[0] * shape[1] > MOST:
        raise InputDataError(
            f"{name} holds {shape[0]} loggers and up to {shape[1]} nights of one: export fewer of them at a time."
        )
    days, levels, spreads = np.full(shape, -1, np.intp), np.full(shape, np.nan), np.full(shape, np.nan)
    days[logger, place], levels[logger, place], spreads[logger, place] = table[:, 1], table[:, 2], table[:, 3]
    return History(tuple(found.loggers), days, levels, spreads, tuple(notes))
