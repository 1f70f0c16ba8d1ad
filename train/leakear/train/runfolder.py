"""A run folder: what `leakear-train fit` writes and what the converter and the reports read.

    RUN/model.keras        Keras network: float32 (n, rows, frames, 1) in [0, 1] → logit (n, 1), positive = Leak
    RUN/run.json           the keys of `RunInfo` below
    RUN/calibration.npz    `Examples` of training windows, equally many Leak and NoLeak: calibrates int8
    RUN/heldout.npz        `Examples` of validation windows (none: of training): int8 is compared with float on these
    RUN/split.json         which recordings trained and which validated, with site and fold
    RUN/scores.csv         one line a validation window: file, site, label, logit, probability
    RUN/history.csv        one line an epoch
    RUN/history.png, confusion.png, roc.png, reliability.png, classification_report.txt, report.html
    RUN/comparison.md       yours beside the factory model on the held-out recordings, and which to deploy
    RUN/tensorboard/       logs for `tensorboard --logdir`

run.json (schema 1) holds: schema, name, created, preset, spectrogram{SpectrogramSpec}, labels, positive, output,
temperature, threshold, decision{}, seed, split{by, seed, fold, train_files, validation_files, train_sites[],
validation_sites[]}, data{sha256, files{}, windows{}, skipped[{path, reason}]}, metrics{}, training{}, licences[],
attribution[].
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from leakear.edge import files
from leakear.edge.errors import InputDataError
from leakear.edge.spec import SpectrogramSpec
from leakear.train.arrays import DAMAGED, reason

SCHEMA = 1
LABELS = ("NoLeak", "Leak")
"""Class 0 and class 1; the notebook's alphabetical encoder has them the other way round."""
CALIBRATION, HELDOUT = "calibration.npz", "heldout.npz"


@dataclass(frozen=True)
class RunInfo:
    """The contents of `run.json`: a trained network and its figures."""

    name: str
    created: str
    """UTC, ISO-8601."""
    preset: str
    spectrogram: SpectrogramSpec
    temperature: float = 1.0
    """P(Leak) = sigmoid(logit / temperature)."""
    threshold: float = 0.5
    """On P(Leak)."""
    decision: dict[str, Any] = field(default_factory=lambda: {"leak_needs_background": True})
    """Fields of the daemon's DecisionRule that go with the model. A score alone is no LEAK: no network is that sure."""
    seed: int = 42
    split: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    licences: tuple[str, ...] = ()
    attribution: tuple[str, ...] = ()

    @property
    def judged(self) -> str:
        """What the figures are of: `held-out`, or `trained-on`, which says nothing about other recordings."""
        return judged(self.metrics)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of `run.json`."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["spectrogram"] = self.spectrogram.to_json()
        return {"schema": SCHEMA, "labels": list(LABELS), "positive": "Leak", "output": "logit", **values}

    @classmethod
    def from_json(cls, values: dict[str, Any], source: str = "run.json") -> Self:
        """Read the JSON object of `run.json`; InputDataError when it is not a valid one."""
        if values.get("schema") != SCHEMA:
            raise InputDataError(f"{source} has schema {values.get('schema')!r}, not {SCHEMA}: train again")
        names = {f.name for f in dataclasses.fields(cls)}
        known = {key: value for key, value in values.items() if key in names}
        try:
            known["spectrogram"] = SpectrogramSpec.from_json(known["spectrogram"])
            known["licences"], known["attribution"] = tuple(known["licences"]), tuple(known["attribution"])
            return cls(**known)
        except (KeyError, TypeError) as error:
            raise InputDataError(f"{source} is not a complete run description ({error}): train again") from error


def judged(metrics: dict[str, Any]) -> str:
    """Return what the metrics of a run are of: `held-out` or `trained-on` windows and recordings."""
    return "trained-on" if metrics.get("on") == "training" else "held-out"


@dataclass(frozen=True)
class Examples:
    """Windows kept beside the network, at the resolution of its int8 input."""

    codes: npt.NDArray[np.uint8]
    """(k, rows, frames); the network's input is code / 255."""
    labels: npt.NDArray[np.uint8]
    """(k,); 1 = Leak."""
    files: tuple[str, ...]
    """The recording of each, relative to the data folder."""


@dataclass(frozen=True)
class Run:
    """A run folder that has been read."""

    path: Path
    info: RunInfo

    @property
    def model_path(self) -> Path:
        """The Keras file."""
        return self.path / "model.keras"

    def examples(self, name: str = CALIBRATION) -> Examples:
        """Read `calibration.npz` or `heldout.npz`. Raises InputDataError."""
        path = self.path / name
        try:
            with np.load(path) as arrays:
                return Examples(arrays["codes"], arrays["labels"], tuple(str(file) for file in arrays["files"]))
        except DAMAGED as error:
            raise InputDataError(f"{path} cannot be read ({reason(error)}): train again") from error


def load_run(path: Path) -> Run:
    """Read a run folder; InputDataError when it is not one."""
    file = path / "run.json"
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputDataError(
            f"{path} is not a finished run: run.json is missing; finish `leakear-train fit`"
        ) from error
    except (OSError, ValueError) as error:
        raise InputDataError(f"{file} cannot be read: {error}") from error
    run = Run(path, RunInfo.from_json(values, str(file)))
    if not run.model_path.is_file():
        raise InputDataError(f"{path} holds no model.keras: finish `leakear-train fit`")
    return run


def save_info(path: Path, info: RunInfo) -> None:
    """Write `run.json` in one step, so that a run folder with it is a finished one."""
    text = json.dumps(info.to_json(), indent=2, ensure_ascii=False) + "\n"
    files.write(path / "run.json", text.encode())


def save_examples(path: Path, name: str, examples: Examples) -> None:
    """Write `calibration.npz` or `heldout.npz`."""
    files = np.array(examples.files, dtype=str)
    np.savez_compressed(path / name, codes=examples.codes, labels=examples.labels, files=files)
