"""Lists the sound files of class folders: what is taken, under which label, and what is not."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from leakear.edge.errors import InputDataError
from leakear.edge.texts import printable
from leakear.train.data.collection import labels

SOUND_SUFFIXES = (
    *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff"),
    *(".aifc", ".au", ".snd", ".caf", ".voc", ".m4a", ".mp4", ".aac", ".3gp", ".amr", ".webm", ".mka", ".wma"),
)
"""Names of sound files end with one of these, in any case."""
_SYSTEM = {"lost+found", "__MACOSX", "$RECYCLE.BIN", "System Volume Information", "@eaDir"}
_KNOWN = (".txt", ".csv", ".tsv", ".xlsx", ".xls", ".ods", ".json", ".md", ".pdf", ".ini", ".db", ".html", ".log")
"""Suffixes of files that nobody takes for sound: they are not counted."""
_BY_RULE = "  (a name that does not begin with NoLeak; --label NAME=NoLeak changes it)"


@dataclass
class Listing:
    """The files of a data folder."""

    files: list[tuple[Path, str, str]] = field(default_factory=list)
    """(path, label, name of the class folder) of each file that is taken, in order of their names"""
    folders: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(folder, label, remark on why) → files taken"""
    missed: Counter[str] = field(default_factory=Counter)
    """Reason → files or folders that were not taken"""

    def remedy(self) -> str:
        """Return what to do where no folder is NoLeak."""
        names = sorted({folder.split("/")[0] for folder, label, remark in self.folders if remark == _BY_RULE})
        if not names:
            return ""
        return f"no folder is called NoLeak…: say which one is, for example {labels.option(names[0], labels.NO_LEAK)}"

    def lines(self) -> Iterator[str]:
        """Yield a line a folder, and one for what was not taken."""
        for (folder, label, remark), count in sorted(self.folders.items()):
            yield f"{printable(folder)} → {label}, {count}{remark}"
        if self.missed:
            total = sum(self.missed.values())
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.missed.items()))
            yield f"{total} not taken: {reasons}"


def scan(data: Path, given: Mapping[str, str]) -> Listing:
    """List the sound files under a data folder. `given`: folder name → label, from --label. Raises InputDataError."""
    listing = Listing()
    used: set[str] = set()
    misspelt: set[str] = set()
    for folder, names in _walk(data, listing):
        chain = folder.relative_to(data).parts
        taken = [name for name in names if _is_sound(folder / name, listing)]
        if not taken:
            continue
        if not chain:
            listing.missed["in no class folder"] += len(taken)
            continue
        try:
            label, decided = labels.of_folders(chain, given, str(data))
        except labels.MisspeltError as error:
            misspelt.update(error.names)
            continue
        used.add(decided)
        plainly = decided.startswith(label) or labels.means_leak(decided)
        remark = "  (--label)" if decided in given else "" if plainly else _BY_RULE
        listing.folders["/".join(chain), label, remark] += len(taken)
        listing.files += [(folder / name, label, "/".join(chain)) for name in taken]
    if misspelt:
        raise labels.MisspeltError(misspelt, str(data))
    for name in given:
        if name not in used:
            there = sorted({part.strip() for folder, *_ in listing.folders for part in folder.split("/")})
            raise InputDataError(
                f"--label {printable(name)}: {printable(data)} holds no such folder with sound files, only "
                f"{printable(', '.join(there[:10]))}{' …' if len(there) > 10 else ''}"
            )
    listing.files.sort(key=lambda file: file[0])
    return listing


def sounds(data: Path) -> list[Path]:
    """List all sound files below a folder, whatever their folders are called."""
    listing = Listing()
    paths = [folder / name for folder, names in _walk(data, listing) for name in names]
    return sorted(path for path in paths if _is_sound(path, listing))


def _is_sound(path: Path, listing: Listing) -> bool:
    if path.name.startswith("."):
        return False  # hidden: macOS writes ._NAME beside each file
    suffix = os.path.splitext(path.name)[1].lower()  # noqa: PTH122 - a name, not a path
    if suffix in SOUND_SUFFIXES:
        if special := path.exists() and not path.is_file():  # nobody may ever write into a pipe
            listing.missed["that is a pipe or a device"] += 1
        return not special
    if suffix not in _KNOWN:
        listing.missed[f"with the ending {printable(suffix) or '(none)'}"] += 1
    return False


def _walk(data: Path, listing: Listing) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder and its files. Hidden ones are left out, links are followed once."""

    def refused(error: OSError) -> None:
        listing.missed[f"folder {printable(Path(error.filename).name)} ({error.strerror})"] += 1

    seen: set[str] = set()
    for place, folders, names in os.walk(data, onerror=refused, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        for name in _SYSTEM.intersection(folders):
            listing.missed[f"folder {name} (of the system)"] += 1
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SYSTEM)
        yield Path(place), sorted(names)
