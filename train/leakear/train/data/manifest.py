"""Reads a manifest of recordings: CSV with the columns path and label, and optional site, fold, material and sha256."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leakear.edge.errors import InputDataError
from leakear.train.runfolder import LABELS

MANIFEST = "manifest.csv"
"""Name of the manifest in a data folder."""


@dataclass(frozen=True)
class ManifestRow:
    """One recording as the manifest describes it."""

    path: str
    """Relative to the data folder."""
    label: str
    """`NoLeak` or `Leak`."""
    site: str | None
    fold: int | None
    material: str | None
    """Pipe material."""
    sha256: str
    """Of the file; empty when the manifest does not give it."""


def read(manifest: Path, fold_column: str = "fold") -> list[ManifestRow]:
    """Read a manifest; InputDataError names the file and line of the first row that is not valid."""
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputDataError(f"{manifest} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputDataError(f"{manifest} cannot be read as CSV: {error}") from error
    return [_row(f"{manifest} line {number}", row, fold_column) for number, row in enumerate(rows, 2)]


def _row(where: str, row: Mapping[str, str], fold_column: str) -> ManifestRow:
    if not row.get("path") or row.get("label") not in LABELS:
        raise InputDataError(f"{where}: needs columns `path` and `label` (Leak or NoLeak), has {dict(row)}")
    fold = row.get(fold_column) or None
    try:
        number = None if fold is None else int(fold)
    except ValueError as error:
        raise InputDataError(f"{where}: {fold_column} {fold!r} is not a whole number") from error
    site, material = row.get("site") or None, row.get("material") or None
    return ManifestRow(row["path"], row["label"], site, number, material, row.get("sha256") or "")
