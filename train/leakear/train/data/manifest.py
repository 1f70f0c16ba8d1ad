"""Reads a table of recordings as spreadsheets write it.

Columns: path and label, and optional site, fold, material, date and sha256, by their usual names in English and
Portuguese. Separator comma, semicolon, tab or bar; UTF-8, UTF-16 or Windows-1252; empty rows and rows that begin with #
are skipped.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from leakear.edge import texts
from leakear.edge.errors import InputDataError
from leakear.edge.texts import counted, decode_table, is_workbook, plain, printable
from leakear.train.data.collection import labels

MANIFEST = "manifest.csv"
"""Name of the manifest in a data folder."""
_SEPARATORS = (",", ";", "\t", "|")
_TITLE = 20
"""Rows among which the one that names the columns is looked for."""
_BEGINNING = 1 << 16
_LARGEST = 256 << 20
"""Bytes of a table."""
_SHOWN = 200
"""Characters of a row that are shown in an error at most."""
_NAMED = 10
"""Labels of unknown meaning, lines or columns that are named at most."""
_NEEDED = {"path": "file", "label": "class"}
_COLUMNS = {
    "path": ("path", "file", "filename", "filepath", "recording", "audio", "wav", "sound", "name",
             "caminho", "arquivo", "nomedoarquivo", "nomearquivo", "ficheiro", "gravacao", "nome", "arquivodeaudio",
             "archivo", "nombredearchivo", "nombredelarchivo", "grabacion", "nombre", "fichier", "datei", "dateiname"),
    "label": ("label", "class", "category", "target", "leak", "isleak", "hasleak", "leakage",
              "rotulo", "classe", "categoria", "etiqueta", "vazamento", "fuga", "clase", "fuite", "leck", "klasse",
              "situacao", "resultado", "diagnostico", "condicao", "situacion", "estado", "status", "result",
              "diagnosis", "verdict", "befund"),
    "site": ("site", "location", "place", "logger", "point", "local", "sitio", "localizacao", "ponto", "lugar",
             "ubicacion", "punto", "lieu", "ort", "endereco", "logradouro", "rua", "direccion", "calle", "address",
             "street", "adresse", "rue", "strasse", "imovel", "predio", "edificio", "building"),
    "material": ("material", "pipematerial", "pipe", "tubo", "materialdotubo", "tubulacao"),
    "date": ("date", "day", "time", "datetime", "recorded", "data", "dia", "hora", "datahora",
             "fecha", "datum"),
    "sha256": ("sha256", "checksum", "hash"),
}  # fmt: skip
"""Meaning → headings as `plain` writes them; the first that is there is used."""


@dataclass(frozen=True)
class ManifestRow:
    """One recording as the manifest describes it."""

    path: str
    """As written; `written_paths` finds the file."""
    label: str
    """`NoLeak` or `Leak`."""
    site: str | None
    fold: int | None
    material: str | None
    """Pipe material."""
    sha256: str
    """Of the file; empty when the manifest does not give it."""
    kind: str = ""
    """The class as written."""
    date: str | None = None


def read(manifest: Path, fold_column: str = "fold", given: Mapping[str, str] | None = None) -> list[ManifestRow]:
    """Read a manifest: `read_with_remarks`, without the remarks."""
    return read_with_remarks(manifest, fold_column, given)[0]


def read_with_remarks(
    manifest: Path, fold_column: str = "fold", given: Mapping[str, str] | None = None
) -> tuple[list[ManifestRow], list[str]]:
    """Read a manifest; InputDataError names the file and line of the first row that is not valid.

    `given`: label as written → Leak or NoLeak, from --label. Also returned: what a person should know of the table.
    """
    try:
        data = texts.content(manifest, _LARGEST)
    except OSError as error:
        raise InputDataError(f"{printable(manifest)} cannot be read: {error.strerror}") from error
    rows = list(_rows(_text(data, manifest), manifest))
    if not rows:
        raise InputDataError(f"{printable(manifest)} is empty: its first row must name the columns path and label")
    start = _header(rows, fold_column, manifest)
    head = rows[start][1]
    columns = _columns(head, fold_column)
    body, remarks = _with_a_path(rows[start + 1 :], columns["path"])
    _labels_known(body, columns["label"], head, given or {}, manifest)
    read_rows = [
        _row(f"{printable(manifest)} line {number}", row, columns, head, fold_column, given or {})
        for number, row in body
    ]
    return _once(read_rows, manifest), [*_columns_told(head, columns), *remarks]


def _with_a_path(rows: list[tuple[int, list[str]]], at: int) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """Leave out rows that name no recording, and say so: people note visits without one. All of them: none."""
    without = [number for number, row in rows if at >= len(row) or not row[at]]
    if not without or len(without) == len(rows):
        return rows, []
    kept = [(number, row) for number, row in rows if number not in set(without)]
    return kept, [f"{counted(len(without), 'row')} without a recording left out: line {_listed(map(str, without))}"]


def _columns_told(head: list[str], columns: Mapping[str, int]) -> list[str]:
    """Say how the columns were read, where a heading is not the usual one or is not used."""
    renamed = [f"{head[at]} as {meaning}" for meaning, at in columns.items() if plain(head[at]) != meaning]
    unused = [cell for at, cell in enumerate(head) if cell and at not in columns.values()]
    if not renamed or not unused:
        return []
    return [f"columns read: {printable(', '.join(renamed))}; not used: {printable(_listed(unused))}"]


def _listed(names: Iterable[str]) -> str:
    """Write the first names."""
    every = list(names)
    return ", ".join(every[:_NAMED]) + (f" and {len(every) - _NAMED} more" if len(every) > _NAMED else "")


def _header(rows: list[tuple[int, list[str]]], fold_column: str, manifest: Path) -> int:
    """Return the number of the row that names the columns: the first, or one below the title of the table."""
    for start, (_, cells) in enumerate(rows[:_TITLE]):
        if {"path", "label"} <= _columns(cells, fold_column).keys():
            return start
    number, head = max(rows[:_TITLE], key=lambda row: len(_columns(row[1], fold_column)))
    there = _columns(head, fold_column)
    remedy = "; ".join(f"call that of the {what} {name}" for name, what in _NEEDED.items() if name not in there)
    raise InputDataError(
        f"{printable(manifest)} line {number}: needs columns `path` and `label` (Leak or NoLeak), has "
        f"{', '.join(map(printable, head))[:_SHOWN]}: {remedy}"
    )


def _text(data: bytes, manifest: Path) -> str:
    if is_workbook(data):
        raise InputDataError(f"{printable(manifest)} is a workbook: save the sheet as CSV (UTF-8) and name that file")
    return decode_table(data)


def _rows(text: str, manifest: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each row that is neither empty nor a comment."""
    skipped = 0
    if declared := re.match(r'"?sep=(.)"?\r?\n', text):  # Excel's own line
        text, skipped = text[declared.end() :], 1
    lines = [line for line in text[:_BEGINNING].splitlines() if line.strip() and not line.lstrip().startswith("#")]
    body = lines[:_TITLE] or [""]
    named = max(_SEPARATORS, key=lambda mark: max(_named(line, mark) for line in body))
    separator = declared[1] if declared else named
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    line = 1
    try:
        for cells in reader:
            clean = [cell.strip(" \t\r\n\u00a0\ufeff") for cell in cells]
            if any(clean) and not clean[0].startswith("#") and not _ruled(clean):
                yield line + skipped, clean
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputDataError(f"{printable(manifest)} line {line + skipped} cannot be read as CSV: {error}") from error


def _ruled(cells: list[str]) -> bool:
    """Whether a row is the line under the headings of a Markdown table."""
    return all(re.fullmatch(r":?-+:?|", cell) for cell in cells)


def _named(line: str, separator: str) -> tuple[int, int]:
    """Return how many known headings a separator makes, and how many cells."""
    known = {name for names in _COLUMNS.values() for name in names}
    cells = [plain(cell) for cell in line.split(separator)]
    return sum(cell in known for cell in cells) if len(cells) > 1 else 0, len(cells)


def _columns(head: list[str], fold_column: str) -> dict[str, int]:
    """Return meaning → number of the column."""
    heads = [plain(cell) for cell in head]
    found = {
        meaning: heads.index(name)
        for meaning, names in _COLUMNS.items()
        if (name := next((name for name in names if name in heads), None))
    }
    fold = next((name for name in (plain(fold_column), "dobra", "particao") if name in heads), None)
    if fold and (fold_column != "fold" or fold == "fold" or fold not in found):
        found["fold"] = heads.index(fold)
    return found


def _row(
    where: str, row: list[str], columns: Mapping[str, int], head: list[str], fold_column: str, given: Mapping[str, str]
) -> ManifestRow:
    cells = {meaning: row[at] for meaning, at in columns.items() if at < len(row)}
    path, written = cells.get("path", ""), cells.get("label", "")
    if "\n" in path or "\r" in path:
        raise InputDataError(f"{where}: a quotation mark is opened there and not closed in its row; remove it")
    if not path:
        raise InputDataError(f"{where}: the column {printable(head[columns['path']])} is empty; name the recording")
    if not written:
        raise InputDataError(
            f"{where}: {printable(path)} has no label in column {printable(head[columns['label']])}: write Leak or "
            "NoLeak, or delete the row"
        )
    label = labels.of_cell(written, head[columns["label"]], given)
    assert label is not None  # _labels_known
    _agree(where, row, columns["label"], head, label)
    return ManifestRow(
        path,
        label,
        cells.get("site") or None,
        _fold(where, cells.get("fold", ""), fold_column),
        cells.get("material") or None,
        cells.get("sha256", "").lower(),
        written,
        cells.get("date") or None,
    )


def _labels_known(
    rows: list[tuple[int, list[str]]], at: int, head: list[str], given: Mapping[str, str], manifest: Path
) -> None:
    """Refuse labels of unknown meaning, all in one sentence: whoever corrects a table wants to do it once."""
    lines: dict[str, list[int]] = {}
    for number, row in rows:
        written = row[at] if at < len(row) else ""
        if written and labels.of_cell(written, head[at], given) is None:
            lines.setdefault(written, []).append(number)
    if not lines:
        return
    said = [f"line {numbers[0]}: {printable(written)!r}" + _more(len(numbers)) for written, numbers in lines.items()]
    more = f" and {len(said) - _NAMED} others" if len(said) > _NAMED else ""
    verb = "is" if len(said) == 1 else "are"
    raise InputDataError(
        f"{printable(manifest)} {', '.join(said[:_NAMED])}{more} in column {printable(head[at])} {verb} neither Leak "
        f"nor NoLeak; write one of them, or give {labels.options(lines)} (exchange Leak and NoLeak where that is wrong)"
    )


def _more(count: int) -> str:
    return "" if count == 1 else f" ({count} rows)"


def _agree(where: str, row: list[str], used: int, head: list[str], label: str) -> None:
    """Refuse a row whose yes or no in another column says the opposite."""
    for at, heading in enumerate(head):
        other = labels.yes_no(row[at], heading) if at < len(row) and at != used else None
        if other not in (None, label):
            raise InputDataError(
                f"{where}: it is {label} by column {printable(head[used])} and {other} by column {printable(heading)}: "
                "correct one of them"
            )


def _fold(where: str, text: str, column: str) -> int | None:
    if not text:
        return None
    whole = re.fullmatch(r"(-?\d+)(?:[.,]0*)?", text)
    if whole is None:
        raise InputDataError(f"{where}: {column} {text!r} is not a whole number")
    return int(whole[1])


def _once(rows: list[ManifestRow], manifest: Path) -> list[ManifestRow]:
    """Drop rows that name a file again; refuse a file under both labels."""
    kept: dict[str, ManifestRow] = {}
    for row in rows:
        before = kept.setdefault(row.path, row)
        if before.label != row.label:
            raise InputDataError(
                f"{printable(manifest)}: {printable(row.path)} stands there as Leak and as NoLeak: "
                "delete one of the rows"
            )
    return list(kept.values())
