"""Labelled recordings: from a manifest (`data.manifest`), or from class folders by the reference notebook's rule.

The notebook's rule: a folder whose name begins with `NoLeak` is NoLeak, any other is Leak (`collection.labels`).
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from leakear.edge.errors import InputDataError
from leakear.edge.texts import counted, printable
from leakear.train.data.collection import dates
from leakear.train.data.collection.folders import SOUND_SUFFIXES, scan, sounds
from leakear.train.data.joining import Joined
from leakear.train.data.manifest import MANIFEST, read_with_remarks
from leakear.train.data.written_paths import WrittenPaths, same_cell
from leakear.train.runfolder import LABELS

__all__ = ["SOUND_SUFFIXES", "Recording", "digest", "fingerprint", "groups", "listed", "load", "require_classes"]


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
    kind: str = ""
    """The class as the data set names it: its folder, or the cell of the manifest."""
    date: str | None = None
    same: str = ""
    """Recordings of the same sound have the same text here (`collection.duplicates`); empty: there is no other."""

    @property
    def target(self) -> int:
        """1 for Leak, 0 for NoLeak."""
        return LABELS.index(self.label)


@dataclass(frozen=True)
class Listed:
    """The recordings of a data folder, and what a person should know about the choice."""

    recordings: list[Recording]
    lines: list[str] = field(default_factory=list)
    """A line a class folder, and what was not taken; or the columns of the manifest."""
    source: str = ""
    """The manifest or the folder, for messages."""
    remedy: str = ""
    """What to do where a class has no recording; empty: add some."""


def load(
    data: Path,
    manifest: Path | None = None,
    *,
    fold_column: str = "fold",
    site_pattern: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> list[Recording]:
    """List the recordings of a data folder, sorted by name: `listed`, without the lines."""
    found = listed(data, manifest, fold_column=fold_column, site_pattern=site_pattern, labels=labels)
    require_classes(found.recordings, found.source, remedy=found.remedy)
    return found.recordings


def listed(
    data: Path,
    manifest: Path | None = None,
    *,
    fold_column: str = "fold",
    site_pattern: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Listed:
    """List the recordings of a data folder, sorted by name.

    `manifest` defaults to `DATA/manifest.csv` where that exists. `site_pattern` is a regular expression whose first
    group, found in a recording's name, is its site. `labels`: name of a folder, or label in the manifest → class.
    Raises InputDataError.
    """
    if not data.is_dir():
        raise InputDataError(f"{data} is not a folder: give the folder that holds the class folders or {MANIFEST}")
    if manifest is None and (data / MANIFEST).is_file():
        manifest = data / MANIFEST
    remedy = ""
    if manifest:
        recordings, told = _from_manifest(data, manifest, fold_column, labels or {})
        written, remarks = dates.as_iso([r.date for r in recordings])
        recordings = [replace(r, date=date) for r, date in zip(recordings, written, strict=True)]
        counts = Counter(f"{r.kind} → {r.label}" for r in recordings)
        lines = [*(f"{printable(kind)}, {count}" for kind, count in sorted(counts.items())), *told, *remarks]
    else:
        listing = scan(data, labels or {})
        recordings = [
            Recording(path, label, _name(path, data), kind=printable(kind)) for path, label, kind in listing.files
        ]
        lines, remedy = list(listing.lines()), listing.remedy()
    if site_pattern is not None:
        recordings = [replace(r, site=_site(r.name, site_pattern)) for r in recordings]
    return Listed(sorted(recordings, key=lambda r: r.name.split("/")), lines, printable(manifest or data), remedy)


def _name(path: Path, data: Path) -> str:
    """Return a recording's name in reports: relative to the data folder, always printable."""
    return printable(
        os.path.relpath(path, data) if not path.is_relative_to(data) else path.relative_to(data).as_posix()
    )


def require_classes(
    recordings: Iterable[Recording], source: str, left_out: Sequence[tuple[str, str]] = (), remedy: str = ""
) -> None:
    """Raise InputDataError unless both classes are present.

    `source` names the place in the message; `left_out`: (name, reason) of recordings that could not be used; `remedy`:
    what to do about it.
    """
    counts = Counter(r.label for r in recordings)
    for label in LABELS:
        if not counts[label]:
            raise InputDataError(
                f"{source} holds no usable recording of class {label}: "
                + (
                    f"{len(left_out)} were left out: {reasons(left_out)}"
                    if left_out
                    else remedy or "add some, both classes are needed"
                )
            )


def reasons(left_out: Sequence[tuple[str, str]], shown: int = 3) -> str:
    """Write the first (name, reason) of what was left out, and how many more there are."""
    more = f"; and {len(left_out) - shown} more" if len(left_out) > shown else ""
    return "; ".join(f"{name}: {why}" for name, why in left_out[:shown]) + more


def groups(recordings: Sequence[Recording]) -> list[str]:
    """Return each recording's site, sites that share the same sound joined into one.

    Else one sound with two names could be on both sides of a split. A recording without a site is a group of its own.
    """
    joined = Joined()

    def sound(r: Recording) -> str:
        return f"same:{r.same}" if r.same else f"sha:{r.sha256 or r.name}"

    for r in recordings:
        joined.join(f"site:{r.site}" if r.site is not None else f"file:{r.name}", sound(r))
        if r.same and r.sha256:
            joined.join(f"sha:{r.sha256}", sound(r))
    found = [joined.root(sound(r)) for r in recordings]
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
    for r in tqdm(list(recordings), "reading", unit="file", leave=False, disable=None):
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


def _from_manifest(
    data: Path, manifest: Path, fold_column: str, labels: Mapping[str, str]
) -> tuple[list[Recording], list[str]]:
    """Return the recordings of a table, and what a person should know of it."""
    found: dict[Path, Recording] = {}
    written: dict[Path, str] = {}
    paths = WrittenPaths(data)
    rows, remarks = read_with_remarks(manifest, fold_column, labels)
    for row in rows:
        path = paths.locate(row.path)
        if not same_cell(written.setdefault(path, row.path), row.path):
            raise InputDataError(
                f"{printable(manifest)}: {printable(written[path])} and {printable(row.path)} both fit "
                f"{_name(path, data)}: write the path below {printable(data)} in both rows"
            )
        recording = Recording(
            path, row.label, _name(path, data), row.site, row.fold, row.material, row.sha256, row.kind, row.date
        )
        before = found.setdefault(path, recording)
        if before.label != recording.label:
            raise InputDataError(
                f"{printable(manifest)}: {recording.name} stands there as Leak and as NoLeak: delete one of the rows"
            )
    return list(found.values()), [*remarks, *_without_a_row(data, found)]


def _without_a_row(data: Path, found: Iterable[Path]) -> list[str]:
    """Count the sound files of the folder that the table does not name."""
    there = {os.path.realpath(path) for path in found}
    others = [path for path in sounds(data) if os.path.realpath(path) not in there]
    if not others:
        return []
    first = ", ".join(_name(path, data) for path in others[:3]) + (" …" if len(others) > 3 else "")
    return [f"{counted(len(others), 'sound file')} without a row in the table not used: {first}"]
