"""Real recordings as places and sounds: which file is which, and on which date it was made.

Two forms are read. A folder with `manifest.csv` (columns path, label, site, date): a place for each site, a recording
for each date; its leaks are sounds of their own. Any other folder: each folder whose name is a known sound is one
sound with a file for each date, and in every other folder each file is one.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from leakear.edge.errors import InputDataError

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


class Role(StrEnum):
    """What a sound does in a day."""

    SCENE = "scene"
    """surroundings that never stop"""
    MACHINE = "machine"
    """runs for minutes to hours, starts and stops"""
    WEATHER = "weather"
    """comes and goes for hours"""
    USE = "use"
    """use of water"""
    EVENT = "event"
    """lasts for seconds"""
    LEAK = "leak"


ROLES = {
    Role.MACHINE: (
        "boat", "chainsaw", "dryer", "exercise_bike", "film-static", "fish-tank", "helicopter", "steam-train-interior",
        "train", "pink_noise", "white_noise",
    ),
    Role.WEATHER: ("rain", "storm", "wind", "waves", "waves-hawaii", "sea-waves"),
    Role.USE: ("running_tap", "doing_the_dishes", "waterfall"),
    Role.EVENT: ("baby-cry", "clock-tick", "dog-bark", "dude_miaowing", "person-sneeze", "rooster", "train-passing"),
    Role.SCENE: ("fire-crackling",),
}  # fmt: skip
"""Known sounds by name; every other one is a scene."""
KNOWN = {name: role for role, names in ROLES.items() for name in names}


@dataclass(frozen=True)
class Place:
    """A place, or a kind of sound, with what was recorded of it."""

    name: str
    role: Role
    dates: tuple[tuple[Path, ...], ...]
    """Recordings of each date, in order of the dates."""
    calibrated: bool = False
    """Whether the recordings' levels are those of one sensor and are kept; otherwise a level is drawn."""


def load(folders: Sequence[Path], leave_out: Sequence[str] = ()) -> list[Place]:
    """Read all places below some folders, sorted by name. Raises InputDataError when there are none."""
    found = [place for folder in folders for place in _load(folder) if place.name not in leave_out]
    if not found:
        named = ", ".join(str(folder) for folder in folders)
        raise InputDataError(f"{named}: no recording that can be used; give folders with {', '.join(SUFFIXES)} files")
    return sorted(found, key=lambda place: (place.name, place.role))


def _load(folder: Path) -> list[Place]:
    if not folder.is_dir():
        raise InputDataError(f"{folder} is not a folder: give a folder of recordings")
    manifest = folder / "manifest.csv"
    return _from_manifest(folder, manifest) if manifest.is_file() else _from_folders(folder)


def _from_manifest(folder: Path, manifest: Path) -> list[Place]:
    by_date: dict[tuple[str, Role], dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    with manifest.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if not {"path", "label", "site", "date"} <= row.keys():
                raise InputDataError(f"{manifest}: needs the columns path, label, site and date")
            role = Role.SCENE if row["label"].strip().startswith("NoLeak") else Role.LEAK
            by_date[row["site"], role][row["date"]].append(folder / row["path"])
    return [
        Place(site, role, tuple(tuple(dates[date]) for date in sorted(dates)), calibrated=True)
        for (site, role), dates in by_date.items()
    ]


def _from_folders(folder: Path) -> list[Place]:
    places = []
    for below in sorted({path.parent for path in folder.rglob("*") if _is_sound(path)}):
        files = sorted(path for path in below.iterdir() if _is_sound(path))
        if below.name in KNOWN:
            places.append(Place(below.name, KNOWN[below.name], tuple((path,) for path in files)))
        else:
            places += [Place(path.stem, KNOWN.get(path.stem, Role.SCENE), ((path,),)) for path in files]
    return places


def _is_sound(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
