"""Divides recordings into training and validation.

By site (the default): no site is on both sides, so validation shows the accuracy at new sites. By file: the reference
notebook's split (stratified 80/20, seed 42), kept to reproduce its figures; they are too good. None: all recordings
train.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leakear.edge.errors import InputDataError
from leakear.train.data.dataset import Recording, groups, require_classes
from leakear.train.runfolder import LABELS

WAYS = ("site", "file", "none")
_PARTS = 5
"""One fifth of the recordings is for validation."""


@dataclass(frozen=True)
class Split:
    """Training and validation recordings."""

    by: str
    seed: int
    fold: int | None
    train: tuple[Recording, ...]
    validation: tuple[Recording, ...]
    moved: tuple[str, ...] = ()
    """Names of recordings that train because another recording of the same sound does."""

    def lines(self) -> list[str]:
        """Say how the recordings are divided."""
        said = [f"split by {self.by}: {len(self.train)} recordings train, {len(self.validation)} validate"]
        if self.moved:
            were = "1 copy was" if len(self.moved) == 1 else f"{len(self.moved)} copies were"
            said.append(f"{were} moved to training, where the same sound is: {self.moved[0]} …")
        return said

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of `split.json`."""
        sides = (("train", self.train), ("validation", self.validation))
        files = [
            {
                "file": r.name,
                "label": r.label,
                "class": r.kind,
                "site": r.site,
                "fold": r.fold,
                "side": side,
                "sha256": r.sha256,
            }
            for side, recordings in sides
            for r in recordings
        ]
        return {"by": self.by, "seed": self.seed, "fold": self.fold, "files": files}

    def summary(self) -> dict[str, Any]:
        """Return the JSON object `split` of `run.json`."""
        return {
            "by": self.by,
            "seed": self.seed,
            "fold": self.fold,
            "train_files": len(self.train),
            "validation_files": len(self.validation),
            "train_sites": _sites(self.train),
            "validation_sites": _sites(self.validation),
        }


def split(recordings: Sequence[Recording], by: str = "site", seed: int = 42, fold: int | None = None) -> Split:
    """Divide recordings. `fold`: number of the manifest's fold to validate on, instead of a random one."""
    if by == "none":
        return Split(by, seed, None, tuple(recordings), ())
    if by == "file":
        held = _by_file(recordings, seed)
    elif fold is not None:
        held = _by_fold(recordings, fold)
    else:
        held = _by_site(recordings, seed)
    held, moved = _together(recordings, held)
    train = tuple(r for r, out in zip(recordings, held, strict=True) if not out)
    validation = tuple(r for r, out in zip(recordings, held, strict=True) if out)
    require_classes(train, f"the training side of the split by {by}")
    require_classes(validation, f"the validation side of the split by {by}")
    return Split(by, seed, fold, train, validation, moved)


def _together(recordings: Sequence[Recording], held: list[bool]) -> tuple[list[bool], tuple[str, ...]]:
    """Put copies of one sound on one side: into training where one of them trains. Also return what was moved."""
    trained = {r.same for r, out in zip(recordings, held, strict=True) if not out and r.same}
    moved = [bool(out and r.same in trained) for r, out in zip(recordings, held, strict=True)]
    names = tuple(r.name for r, change in zip(recordings, moved, strict=True) if change)
    return [out and not change for out, change in zip(held, moved, strict=True)], names


def _sites(recordings: Sequence[Recording]) -> list[str]:
    return sorted({r.site for r in recordings if r.site is not None})


def _by_file(recordings: Sequence[Recording], seed: int) -> list[bool]:
    from sklearn.model_selection import train_test_split

    labels = [r.label for r in recordings]
    try:
        _, held = train_test_split(range(len(labels)), test_size=1 / _PARTS, random_state=seed, stratify=labels)
    except ValueError as error:
        counts = " and ".join(f"{labels.count(label)} of {label}" for label in LABELS)
        raise InputDataError(
            f"too few recordings to split by file: {counts}; record more, or give --split none"
        ) from error
    chosen = set(held)
    return [index in chosen for index in range(len(labels))]


def _by_fold(recordings: Sequence[Recording], fold: int) -> list[bool]:
    folds = {r.fold for r in recordings}
    if fold not in folds or None in folds:
        known = sorted(number for number in folds if number is not None)
        raise InputDataError(
            f"fold {fold} cannot be held out: the manifest's folds are {known}, and every row needs one"
        )
    return [r.fold == fold for r in recordings]


def _by_site(recordings: Sequence[Recording], seed: int) -> list[bool]:
    from sklearn.model_selection import StratifiedGroupKFold

    without_site = next((r.name for r in recordings if r.site is None), None)
    if without_site:
        raise InputDataError(
            f"a split by site needs the site of every recording, {without_site} has none: "
            "give --manifest with a site column, --site-pattern, or --split file"
        )
    labels = np.array([r.target for r in recordings])
    sites = np.array(groups(recordings))
    parts = min(_PARTS, *(len(set(sites[labels == target])) for target in (0, 1)))
    if parts < 2:
        why = next((f", and {said}" for said in joined(recordings)), ": record at more sites, or give --split file")
        raise InputDataError(f"a split by site needs at least two sites of each class{why}")
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=seed).split(labels, labels, sites)
    sides = [held for train, held in folds if min(_both(labels[train]), _both(labels[held]))]
    if not sides:
        raise InputDataError("no split by site has both classes on both sides: give another --seed, or --fold")
    size = len(labels) / parts
    best = min(sides, key=lambda held: abs(len(held) - size) + abs(labels[held].mean() - labels.mean()) * size)
    chosen = set(best.tolist())
    return [index in chosen for index in range(len(labels))]


def joined(recordings: Sequence[Recording]) -> Iterator[str]:
    """Yield which sites are one to a split because copies of one sound are of each of them."""
    by_sound: dict[str, list[Recording]] = {}
    for r in recordings:
        if r.same:
            by_sound.setdefault(r.same, []).append(r)
    for copies in by_sound.values():
        if len(sites := _sites(copies)) > 1:
            names = ", ".join(r.name for r in copies)
            yield f"copies of one sound make one site of {', '.join(sites)}: keep one of {names}"


def _both(labels: "np.ndarray[Any, np.dtype[np.int64]]") -> bool:
    return 0 < labels.sum() < len(labels)
