"""Recordings: what there is to learn from, where it was made, and who may see it.

Two sources. A manifest (CSV: path, label; optional site, fold, material, sha256) says everything; without one, class
folders do, by the reference notebook's rule: a folder whose name begins with `NoLeak` is NoLeak, any other is Leak.
"""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leakear.edge.errors import InputDataError
from leakear.train.runfolder import LABELS

SOUND_SUFFIXES = (".wav", ".flac", ".ogg")
MANIFEST = "manifest.csv"


@dataclass(frozen=True)
class Recording:
    """One labelled sound file."""

    path: Path
    label: str
    """`NoLeak` or `Leak`."""
    name: str
    """Path relative to the data folder: how reports and run folders call it."""
    site: str | None = None
    """Where it was made; recordings of one site never stand on both sides of a split by site."""
    fold: int | None = None
    material: str | None = None
    """Pipe material."""
    sha256: str = ""
    """Of the file: as the manifest says, or as `fingerprint` has read it."""

    @property
    def target(self) -> int:
        """1 for Leak, 0 for NoLeak."""
        return LABELS.index(self.label)


def load(
    data: Path, manifest: Path | None = None, *, fold_column: str = "fold", site_pattern: str | None = None
) -> list[Recording]:
    """List the recordings of a data folder, sorted by name.

    `manifest` defaults to `DATA/manifest.csv` where that exists. `site_pattern` is a regular expression whose first
    group, found in a recording's name, is its site. InputDataError where there is nothing usable.
    """
    if not data.is_dir():
        raise InputDataError(f"{data} is not a folder: give the folder that holds the class folders or {MANIFEST}")
    if manifest is None and (data / MANIFEST).is_file():
        manifest = data / MANIFEST
    recordings = _from_manifest(data, manifest, fold_column) if manifest else _from_folders(data)
    if site_pattern is not None:
        recordings = [replace(r, site=_site(r.name, site_pattern)) for r in recordings]
    require_classes(recordings, str(manifest or data))
    return sorted(recordings, key=lambda r: r.name)


def class_of_folder(name: str) -> str:
    """Apply the notebook's rule."""
    return LABELS[0] if name.startswith(LABELS[0]) else LABELS[1]


def require_classes(recordings: Iterable[Recording], source: str) -> None:
    """Raise InputDataError unless both classes are there."""
    counts = Counter(r.label for r in recordings)
    for label in LABELS:
        if not counts[label]:
            raise InputDataError(
                f"{source} holds no usable recording of class {label}: add some, both classes are needed"
            )


def groups(recordings: Sequence[Recording]) -> list[str]:
    """Return each recording's site, sites that share a byte-identical file joined into one.

    Without this a file known under two names could stand on both sides. A recording without a site stands alone.
    """
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for r in recordings:
        parent[root(f"site:{r.site}" if r.site is not None else f"file:{r.name}")] = root(f"sha:{r.sha256 or r.name}")
    found = [root(f"sha:{r.sha256 or r.name}") for r in recordings]
    names: dict[str, str] = {}
    for r, key in zip(recordings, found, strict=True):
        name = r.site or r.name
        names[key] = min(names.get(key, name), name)
    return [names[key] for key in found]


def fingerprint(recordings: Iterable[Recording]) -> tuple[list[Recording], list[tuple[str, str]]]:
    """Read every file once for its sha256; return the usable recordings and (name, reason) of the others.

    A file that is not the one whose sha256 the manifest gives is not usable.
    """
    good, bad = [], []
    for r in recordings:
        try:
            with r.path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            bad.append((r.name, str(error.strerror)))
            continue
        if r.sha256 in ("", found):
            good.append(replace(r, sha256=found))
        else:
            bad.append((r.name, "is not the file that the manifest describes: its sha256 differs"))
    return good, bad


def digest(recordings: Iterable[Recording]) -> str:
    """Return the sha256 of a set of recordings: their contents and labels, whatever their names and order."""
    lines = sorted(f"{r.sha256} {r.label}\n" for r in recordings)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _site(name: str, pattern: str) -> str:
    try:
        found = re.search(pattern, name)
        if found:
            return found[1]
    except (re.error, IndexError) as error:
        raise InputDataError(f"site pattern {pattern!r}: {error}; give a regular expression with one group") from error
    raise InputDataError(f"site pattern {pattern!r} finds no site in {name}: widen it, or give a manifest")


def _from_folders(data: Path) -> list[Recording]:
    return [
        Recording(path, class_of_folder(folder.name), f"{folder.name}/{path.name}")
        for folder in sorted(data.iterdir())
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SOUND_SUFFIXES
    ]


def _from_manifest(data: Path, manifest: Path, fold_column: str) -> list[Recording]:
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputDataError(f"{manifest} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputDataError(f"{manifest} cannot be read as CSV: {error}") from error
    return [_row(data, f"{manifest} line {number}", row, fold_column) for number, row in enumerate(rows, 2)]


def _row(data: Path, where: str, row: Mapping[str, str], fold_column: str) -> Recording:
    if not row.get("path") or row.get("label") not in LABELS:
        raise InputDataError(f"{where}: needs columns `path` and `label` (Leak or NoLeak), has {dict(row)}")
    fold = row.get(fold_column) or None
    try:
        number = None if fold is None else int(fold)
    except ValueError as error:
        raise InputDataError(f"{where}: {fold_column} {fold!r} is not a whole number") from error
    name, site, material = row["path"], row.get("site") or None, row.get("material") or None
    return Recording(data / name, row["label"], name, site, number, material, row.get("sha256") or "")
