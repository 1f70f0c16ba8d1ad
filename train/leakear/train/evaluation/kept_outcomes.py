"""Keeps the outcome of each cross-validation, so that an interrupted `crossval` continues where it stopped."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from leakear import train
from leakear.edge import files
from leakear.train.arrays import DAMAGED
from leakear.train.evaluation import cross_validation
from leakear.train.evaluation.baselines import Detector, Table
from leakear.train.evaluation.cross_validation import Outcome
from leakear.train.evaluation.metrics import Rows

_LIBRARIES = ("keras", "scikit-learn", "numpy")


class KeptOutcomes:
    """Outcomes on disk, named by everything that decides them."""

    def __init__(self, folder: Path, table: Table, how: Sequence[object]) -> None:
        """Take the table of all windows; `how`: the options and sounds that detectors use beside it."""
        self._folder = folder
        self._table = table
        real = table.real
        recordings = [(r.sha256, r.label, group) for r, group in zip(real.recordings, real.groups, strict=True)]
        windows = hashlib.sha256(np.ascontiguousarray(real.windows.codes).tobytes()).hexdigest()
        self._how = [recordings, windows, *map(str, how), _code(), *(version(name) for name in _LIBRARIES)]

    def run(self, name: str, detector: Detector, folds: Rows) -> Outcome:
        """Return the outcome of a detector on these folds: kept, or computed now."""
        facts = json.dumps([name, folds.tolist(), *self._how])
        path = self._folder / f"outcome-{hashlib.sha256(facts.encode()).hexdigest()[:32]}.npz"
        kept = _load(path)
        if kept is None:
            kept = cross_validation.run(detector, self._table, folds)
            self._folder.mkdir(parents=True, exist_ok=True)
            with files.replacing(path) as part, part.open("wb") as file:
                np.savez(file, **asdict(kept))
        return kept


def _load(path: Path) -> Outcome | None:
    try:
        with np.load(path) as saved:
            values = {name: saved[name] for name in saved.files}
        return Outcome(**values | {"groups": tuple(values["groups"].tolist())})
    except DAMAGED:
        return None


def _code() -> str:
    """Return a digest of the training code: after a change nothing that was kept is used."""
    sources = sorted(Path(train.__path__[0]).rglob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
