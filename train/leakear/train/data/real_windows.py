"""Labelled windows of real recordings in memory, for sets that are small enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from leakear.train.data import dataset, features
from leakear.train.data.clips import Recipe
from leakear.train.data.dataset import Recording
from leakear.train.data.simulated_windows import Windows
from leakear.train.work.jobs import Jobs

COPIES = ("shift", "shift+tilt", "shift+mix", "shift+mix+tilt")
"""Changes of a training window; its level stays, because it is a feature."""


@dataclass(frozen=True)
class RealWindows:
    """Windows of recordings, originals and changed copies."""

    windows: Windows
    """`sites` numbers the groups: sites, merged when they share a byte-identical file."""
    file: npt.NDArray[np.int64]
    """(n,) index into `recordings`"""
    copy: npt.NDArray[np.int64]
    """(n,) 0 for the recording itself"""
    recordings: tuple[Recording, ...]
    groups: tuple[str, ...]
    """(files,) name of each recording's group"""

    @property
    def targets(self) -> npt.NDArray[np.uint8]:
        """(files,) 1 = Leak."""
        return np.array([r.target for r in self.recordings], np.uint8)

    def rows(self, files: npt.NDArray[np.int64], *, copies: bool) -> npt.NDArray[np.int64]:
        """Return the rows of these files."""
        return np.flatnonzero(np.isin(self.file, files) & (copies | (self.copy == 0)))

    def take(self, rows: npt.NDArray[np.int64]) -> Windows:
        """Return the windows of these rows."""
        whole = self.windows
        return Windows(whole.codes[rows], whole.targets[rows], whole.sites[rows])

    def by_file(self, rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Average the scores of rows over each file; (files,), NaN for files without a row."""
        sums = np.bincount(self.file[rows], scores, len(self.recordings))
        counts = np.bincount(self.file[rows], minlength=len(self.recordings))
        with np.errstate(invalid="ignore"):
            return np.asarray(sums / counts, np.float64)


def read(recordings: Sequence[Recording], recipe: Recipe, cache: Path, jobs: Jobs = 2) -> RealWindows:
    """Compute the windows, or read them from the cache; recordings need their sha256 and a site."""
    found = features.build(recordings, recipe, cache, jobs=jobs)
    names = dataset.groups(found.recordings)
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    sites = np.array([numbers[name] for name in names], np.int64)[found.recording]
    windows = Windows(found.read(np.arange(len(found))), found.targets, sites)
    return RealWindows(
        windows, found.recording.astype(np.int64), found.copy.astype(np.int64), found.recordings, tuple(names)
    )
