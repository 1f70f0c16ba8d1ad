"""What the columns of a table of night levels mean: by their headings, and where there are none by their cells."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from leakear.dashboard.nights.cells import LONGEST, is_date, is_serial, number, readings_of
from leakear.edge.errors import InputDataError
from leakear.edge.texts import plain, printable

MEANINGS = ("logger", "date", "level")
_HEADINGS = {
    "date": ("date", "night", "day", "datetime", "timestamp", "readingdate", "recordingdate", "measurementdate", "time",
             "data", "datahora", "dia", "noite", "fecha", "dato", "datum", "jour"),
    "spread": ("spread", "width", "deviation", "variation", "dispersao", "espalhamento", "largura", "breite"),
    "level": ("level", "minlevel", "minimumlevel", "lowestlevel", "noiselevel", "soundlevel", "noise", "dbmin", "lmin",
              "min", "minimum", "leveldb", "db", "dba", "lvl", "value", "reading", "nivel", "ruido", "niveau", "pegel",
              "minimo", "valor"),
    "logger": ("logger", "loggerid", "loggername", "loggerserial", "loggernumber", "serial", "serialnumber", "serialno",
               "sensor", "sensorid", "device", "deviceid", "unit", "unitid", "node", "id", "name", "asset", "assetid",
               "serie", "numerodeserie", "registrador", "aparelho", "equipamento", "station", "ponto", "point",
               "site", "location"),
}  # fmt: skip
"""meaning → headings as `plain` writes them, the best first"""
_LOOKED_AT = 40
"""rows among which the heading is looked for: exports begin with titles"""

_NOTHING = ("na", "nan", "nd", "none", "null", "nodata", "semdados", "error", "erro")
"""words that stand for no reading, as `plain` writes them"""
_FEWEST_ACROSS = 4
"""dates in a row that are headings; fewer may be the period of an export"""


@dataclass(frozen=True)
class Layout:
    """Where in a table what stands; columns count from 0."""

    form: str
    """long; nights across: a column a night; loggers across: a column a logger"""
    first: int
    """first row below the headings"""
    logger: int | None = None
    date: int | None = None
    level: int | None = None
    spread: int | None = None
    across: tuple[tuple[int, str], ...] = ()
    """column and date, or column and logger"""
    spreads: Mapping[int, int] = field(default_factory=dict)
    """column of a level → column of its spread"""

    def dates(self, rows: Iterable[Sequence[str]]) -> Iterable[str]:
        """Return the texts that are dates. `rows`: those from `first` on."""
        if self.form == "nights across":
            return [text for _, text in self.across]
        return (row[self.date] for row in rows if self.date is not None and self.date < len(row))


def layout_of(rows: Sequence[Sequence[str]], given: Mapping[str, str], name: str) -> Layout:
    """Find out how a table is laid out. `given`: meaning → heading. Raises InputDataError."""
    for at, row in enumerate(rows[:_LOOKED_AT]):
        found = _nights_across(at, row, given) or _by_headings(at, rows, given)
        if found is not None:
            if found.form == "loggers across":
                _refuse_repeated(rows, found, name)
            return found
    if given:
        wanted = ", ".join(printable(heading) for heading in given.values())
        raise InputDataError(f"{name} has no row of headings with {wanted}: write them as they stand in the file.")
    found = _by_cells(rows)
    if found is None:
        raise InputDataError(
            f"{name} has no column of dates that can be read (first row: {printable(', '.join(rows[0]))[:120]}): it "
            f"needs columns for {', '.join(MEANINGS)}; name them with --logger, --date and --level."
        )
    return found


def _nights_across(at: int, row: Sequence[str], given: Mapping[str, str]) -> Layout | None:
    """Tell whether these headings are dates."""
    serials = sum(is_serial(cell) for cell in row) >= _FEWEST_ACROSS
    parts = [(cell, "") if serials and is_serial(cell) else _date_and_rest(cell) for cell in row]
    dated = [column for column, (date, _) in enumerate(parts) if date]
    if len(dated) < _FEWEST_ACROSS or len(dated) < 0.5 * sum(bool(cell) for cell in row):
        return None
    logger = _column(row, "logger", given, but=dated)
    others = [column for column in range(len(row)) if column not in dated]
    levels = {parts[column][0]: column for column in dated if not _means(parts[column][1], "spread")}
    spreads = {
        levels[parts[column][0]]: column
        for column in dated
        if _means(parts[column][1], "spread") and parts[column][0] in levels
    }
    across = tuple((column, date) for date, column in levels.items())
    if logger is None and not others:
        return None
    return Layout("nights across", at + 1, logger if logger is not None else others[0], across=across, spreads=spreads)


def _date_and_rest(cell: str) -> tuple[str, str]:
    """Return the date in a heading and the words behind or before it, as in "2018-03-01 level"."""
    if is_date(cell):
        return cell, ""
    words = cell.split() if len(cell) <= LONGEST else []
    for cut in range(1, len(words)):
        for date, rest in ((words[:cut], words[cut:]), (words[cut:], words[:cut])):
            if is_date(" ".join(date)) and plain("".join(rest)).isalpha():
                return " ".join(date), "".join(rest)
    return "", ""


def _means(heading: str, meaning: str) -> bool:
    text = plain(heading)
    return any(
        text == name or (len(name) >= 4 and (text.startswith(name) or text.endswith(name)))
        for name in _HEADINGS[meaning]
    )


def _column(row: Sequence[str], meaning: str, given: Mapping[str, str], but: Iterable[int] = ()) -> int | None:
    """Return the column of a meaning: that of the given heading, the best known one, or one that begins or ends so."""
    headings, but = [plain(cell) for cell in row], set(but)
    if meaning in given:
        wanted = plain(given[meaning])
        return headings.index(wanted) if wanted in headings else None
    free = [column for column in range(len(row)) if column not in but and headings[column]]
    for name in _HEADINGS[meaning]:
        for column in free:
            if headings[column] == name:
                return column
    return next((column for column in free if _means(row[column], meaning)), None)


def _by_headings(at: int, rows: Sequence[Sequence[str]], given: Mapping[str, str]) -> Layout | None:
    """Tell whether a row has the headings of a long table, or of one with a column a logger."""
    row = rows[at]
    taken: list[int] = []
    columns: dict[str, int | None] = {}
    for meaning in ("date", "spread", "level", "logger"):
        columns[meaning] = _column(row, meaning, given, taken)
        taken += [found for found in (columns[meaning],) if found is not None]
    date, level = columns["date"], columns["level"]
    if date is None or any(columns[meaning] is None for meaning in given) or not _dates_below(rows, at, date):
        return None
    if level is not None and (columns["logger"] is not None or given or plain(row[level]) in _HEADINGS["level"]):
        return Layout("long", at + 1, columns["logger"], date, level, columns["spread"])
    rest = [column for column in range(len(row)) if column != date and row[column]]
    named = [column for column in rest if _text_below(rows, at, column)]
    if level is not None and level not in named and len(named) == 1:
        return Layout("long", at + 1, named[0], date, level, columns["spread"])
    rest = [column for column in rest if column not in named]
    if not rest or given:
        return None
    names = {_without_meaning(row[column]): column for column in rest if not _ends_as_spread(row[column])}
    spreads = {
        names[_without_meaning(row[column])]: column
        for column in rest
        if _ends_as_spread(row[column]) and _without_meaning(row[column]) in names
    }
    return Layout("loggers across", at + 1, date=date, across=tuple((c, n) for n, c in names.items()), spreads=spreads)


def _dates_below(rows: Sequence[Sequence[str]], at: int, column: int) -> bool:
    """Tell whether dates stand below a heading: a title may begin with the word, too."""
    below = [row[column] for row in rows[at + 1 : at + 1 + _LOOKED_AT] if column < len(row) and row[column]]
    return 2 * sum(bool(readings_of(cell)) for cell in below) > len(below)


def _text_below(rows: Sequence[Sequence[str]], at: int, column: int) -> bool:
    """Tell whether words stand below a heading, such as names of loggers: levels are numbers."""
    below = [row[column] for row in rows[at + 1 : at + 1 + _LOOKED_AT] if column < len(row) and row[column]]
    words = sum(cell[0].isalpha() and number(cell) is None and plain(cell) not in _NOTHING for cell in below)
    return 2 * words > len(below)


def _refuse_repeated(rows: Sequence[Sequence[str]], layout: Layout, name: str) -> None:
    """Raise InputDataError where the very same dates come again and again: each row is of one logger, not of all."""
    dates = list(layout.dates(rows[layout.first :]))
    if len(dates) > 2 * len(set(dates)):
        raise InputDataError(
            f"{name} has several rows of {printable(dates[0])}, and no heading that is known to name the logger: name "
            "it with --logger, and the column of the level with --level."
        )


def _ends_as_spread(heading: str) -> bool:
    words = heading.replace("_", " ").split()
    return len(words) > 1 and _means(words[-1], "spread")


def _without_meaning(heading: str) -> str:
    """Return the logger's name of a heading as "L1 level" or "L1 spread"."""
    words = heading.replace("_", " ").split()
    if len(words) > 1 and (_means(words[-1], "spread") or _means(words[-1], "level")):
        return " ".join(words[:-1])
    return heading


def _by_cells(rows: Sequence[Sequence[str]]) -> Layout | None:
    """Find the columns of a long table without headings by what their cells are."""
    looked = rows[:200]
    width = max(len(row) for row in looked)

    def share(column: int, test: object) -> float:
        cells = [row[column] for row in looked if column < len(row) and row[column]]
        return sum(bool(test(cell)) for cell in cells) / len(cells) if cells else 0.0  # type: ignore[operator]

    dates = [column for column in range(width) if share(column, is_date) > 0.8]
    if not dates:
        return None
    numbers = [c for c in range(width) if c not in dates and share(c, lambda cell: number(cell) is not None) > 0.5]
    behind = [column for column in numbers if column > dates[0]] or numbers
    if not behind:
        return None
    others = [column for column in range(width) if column not in (dates[0], *behind[:2])]
    spread = behind[1] if len(behind) > 1 else None
    return Layout("long", 0, others[0] if others else None, dates[0], behind[0], spread)
