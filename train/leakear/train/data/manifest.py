"""Reads a table of recordings as spreadsheets write it.

Columns: path and label, and optional site, fold, material, date and sha256, by their usual names in English and
Portuguese. Separator comma, semicolon, tab or bar; UTF-8, UTF-16 or Windows-1252; empty rows and rows that begin with #
are skipped.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from leakear.edge.errors import InputDataError
from leakear.edge.texts import decode_table, is_workbook, plain, printable
from leakear.train.data.collection import labels

MANIFEST = "manifest.csv"
"""Name of the manifest in a data folder."""
_SEPARATORS = (",", ";", "\t", "|")
_COLUMNS = {
    "path": ("path", "file", "filename", "filepath", "recording", "audio", "wav", "sound", "name",
             "caminho", "arquivo", "nomedoarquivo", "nomearquivo", "ficheiro", "gravacao", "nome"),
    "label": ("label", "class", "category", "target", "leak", "isleak", "hasleak", "leakage",
              "rotulo", "classe", "categoria", "etiqueta", "vazamento", "fuga"),
    "site": ("site", "location", "place", "logger", "point", "local", "sitio", "localizacao", "ponto", "lugar"),
    "material": ("material", "pipematerial", "pipe", "tubo", "materialdotubo", "tubulacao"),
    "date": ("date", "day", "time", "datetime", "recorded", "data", "dia", "hora", "datahora"),
    "sha256": ("sha256", "checksum", "hash"),
}  # fmt: skip
"""Meaning → headings as `plain` writes them; the first that is there is used."""


@dataclass(frozen=True)
class ManifestRow:
    """One recording as the manifest describes it."""

    path: str
    """As written; `locate` finds the file."""
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
    """Read a manifest; InputDataError names the file and line of the first row that is not valid.

    `given`: label as written → Leak or NoLeak, from --label.
    """
    try:
        data = manifest.read_bytes()
    except OSError as error:
        raise InputDataError(f"{printable(manifest)} cannot be read: {error.strerror}") from error
    rows = list(_rows(_text(data, manifest), manifest))
    if not rows:
        raise InputDataError(f"{printable(manifest)} is empty: its first row must name the columns path and label")
    number, head = rows[0]
    columns = _columns(head, fold_column)
    if "path" not in columns or "label" not in columns:
        raise InputDataError(
            f"{printable(manifest)} line {number}: needs columns `path` and `label` (Leak or NoLeak), has "
            f"{', '.join(map(printable, head))}"
        )
    read_rows = [
        _row(f"{printable(manifest)} line {number}", row, columns, head, fold_column, given or {})
        for number, row in rows[1:]
    ]
    return _once(read_rows, manifest)


def _text(data: bytes, manifest: Path) -> str:
    if is_workbook(data):
        raise InputDataError(f"{printable(manifest)} is a workbook: save the sheet as CSV (UTF-8) and name that file")
    return decode_table(data)


def _rows(text: str, manifest: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each row that is neither empty nor a comment."""
    skipped = 0
    if declared := re.match(r'"?sep=(.)"?\r?\n', text):  # Excel's own line
        text, skipped = text[declared.end() :], 1
    body = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    separator = declared[1] if declared else max(_SEPARATORS, key=lambda mark: _named(body, mark))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    line = 1
    try:
        for cells in reader:
            clean = [cell.strip(" \t\r\n\u00a0\ufeff") for cell in cells]
            if any(clean) and not clean[0].startswith("#"):
                yield line + skipped, clean
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputDataError(f"{printable(manifest)} line {line + skipped} cannot be read as CSV: {error}") from error


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
    if not path:
        raise InputDataError(f"{where}: the column {printable(head[columns['path']])} is empty; name the recording")
    if not written:
        raise InputDataError(
            f"{where}: {printable(path)} has no label in column {printable(head[columns['label']])}: write Leak or "
            "NoLeak, or delete the row"
        )
    label = labels.of_cell(written, head[columns["label"]], given)
    if label is None:
        raise InputDataError(
            f"{where}: {printable(written)!r} in column {printable(head[columns['label']])} is neither Leak nor "
            "NoLeak; write one of them, or give --label VALUE=Leak or --label VALUE=NoLeak"
        )
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


def locate(data: Path, written: str) -> Path:
    r"""Return the file that a cell means: with `\`, in another case or Unicode form, or moved to another machine.

    Where nothing fits, the path as written.
    """
    raw = re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda found: chr(int(found[1], 16)), written)  # as `manifest` writes it
    forms = dict.fromkeys([written, raw, written.replace("\\", "/")])
    for form in forms:
        if "\0" not in form and (data / form).is_file():
            return data / form
    parts = [part for part in re.split(r"[\\/]+", written) if part not in ("", ".")]
    for first in range(len(parts)):
        if found := _descend(data, parts[first:]):
            return found
    return data / written.replace("\0", "")


def _descend(folder: Path, parts: list[str]) -> Path | None:
    """Find a path below a folder, whatever the case and the form of accents; None where it is not or not unique."""
    for number, part in enumerate(parts):
        try:
            entries = list(folder.iterdir())
        except OSError:
            return None
        same = [e for e in entries if e.name == part] or [e for e in entries if _same(e.name, part)]
        if not same and number == len(parts) - 1:
            same = [e for e in entries if _same(e.stem, part) and e.is_file()]
        if len(same) != 1:
            return None
        folder = same[0]
    return folder if folder.is_file() else None


def _same(a: str, b: str) -> bool:
    import unicodedata

    return unicodedata.normalize("NFC", a).casefold() == unicodedata.normalize("NFC", b).casefold()
