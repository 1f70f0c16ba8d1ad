"""Labelled recordings: from a manifest (`data.manifest`), or from class folders by the reference notebook's rule.

The notebook's rule: a folder whose name begins with `NoLeak` is NoLeak, any other is Leak.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leakear.edge.errors import InputDataError
from leakear.train.data.manifest import MANIFEST, read
from leakear.train.runfolder import LABELS

SOUND_SUFFIXES = (".wav", ".flac", ".ogg")


@dataclass(frozen=True)
class Recording:
    """One labelled sound file."""

    path: Path
    label: str
    """`NoLeak` or `Leak`."""
    name: str
    """Path relative to the data folder: its name in reports and run folders."""
    site: str | None = None
    """Where it was made; a split by site keeps all recordings of one site on one side."""
    fold: int | None = None
    material: str | None = None
    """Pipe material."""
    sha256: str = ""
    """Of the file, from the manifest or from `fingerprint`; empty before."""

    @property
    def target(self) -> int:
        """1 for Leak, 0 for NoLeak."""
        return LABELS.index(self.label)


def load(
    data: Path, manifest: Path | None = None, *, fold_column: str = "fold", site_pattern: str | None = None
) -> list[Recording]:
    """List the recordings of a data folder, sorted by name.

    `manifest` defaults to `DATA/manifest.csv` where that exists. `site_pattern` is a regular expression whose first
    group, found in a recording's name, is its site. InputDataError when there is no usable recording.
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
    """Return the label of a class folder by the notebook's rule."""
    return LABELS[0] if name.startswith(LABELS[0]) else LABELS[1]


def require_classes(recordings: Iterable[Recording], source: str) -> None:
    """Raise InputDataError unless both classes are present; `source` names the place in the message."""
    counts = Counter(r.label for r in recordings)
    for label in LABELS:
        if not counts[label]:
            raise InputDataError(
                f"{source} holds no usable recording of class {label}: add some, both classes are needed"
            )


def groups(recordings: Sequence[Recording]) -> list[str]:
    """Return each recording's site, sites that share a byte-identical file joined into one.

    Else one file with two names could be on both sides of a split. A recording without a site is a group of its own.
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

    A file whose sha256 differs from the manifest's is not usable.
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
    return [
        Recording(data / row.path, row.label, row.path, row.site, row.fold, row.material, row.sha256)
        for row in read(manifest, fold_column)
    ]
