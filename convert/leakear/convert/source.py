"""Loads the network to convert from a run folder, a .keras file or a SavedModel, with one logit for Leak as output."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from leakear.convert.quantising.head import to_logit
from leakear.convert.quantising.precision import in_float32, refuse_half
from leakear.edge import texts
from leakear.edge.errors import InputDataError, LeakearError, ModelError
from leakear.train.runfolder import CALIBRATION, HELDOUT, Examples, Run, RunInfo, load_run

DESCRIPTION_KEYS = {
    *("name", "spectrogram", "output_positive", "temperature", "threshold", "decision", "calibration", "heldout"),
    *("data", "split", "metrics", "licences", "attribution"),
}
"""keys of the file that describes a network without a run folder"""


@dataclass(frozen=True)
class Source:
    """A network with its description and example windows."""

    network: Any
    """Keras model: (1, rows, frames, 1) in 0 to 1 → one logit, positive = Leak"""
    info: RunInfo
    calibration: Examples
    """training windows, for the integer ranges and the threshold"""
    heldout: Examples
    """windows that were not trained on, for comparing float and quantised network"""
    sites: Mapping[str, str] = field(default_factory=dict)
    """recording → site; a recording without an entry is a site of its own"""

    def site_of(self, file: str) -> str:
        """Site of a recording."""
        return self.sites.get(file, file)


def load(path: Path, spec_file: Path | None = None, *, trust_saved_model: bool = False) -> Source:
    """Load the network to convert. Raises InputDataError or ModelError with one sentence.

    `trust_saved_model`: load a SavedModel too, though its operations run with the rights of this user.
    """
    if not path.exists():
        raise InputDataError(
            f"{path} does not exist: name a run folder of leakear-train, a .keras file or a SavedModel"
        )
    if (path / "run.json").is_file():
        run = load_run(path)
        source = Source(
            _keras(run.model_path), run.info, run.examples(CALIBRATION), run.examples(HELDOUT), _sites(path)
        )
        return checked(source, path)
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise InputDataError(
            f"{path} is neither a run folder (it holds no run.json) nor a SavedModel (it holds no saved_model.pb)"
        )
    if path.is_dir() and not trust_saved_model:
        raise InputDataError(
            f"{path} is a SavedModel: to load it is to run whatever operations it holds, with your rights (files "
            "included). If you made it yourself, say --trust-saved-model; else ask for the .keras file"
        )
    if path.is_file() and _is_model_file(path):
        raise InputDataError(
            f"{path} is a model file already: leakear-convert inspect, verify, sign and diff work on it; to convert, "
            "name the run folder or .keras file that it came from"
        )
    if spec_file is None:
        raise InputDataError(
            f"{path} does not say what it listens to: describe its input with --spec FILE.json "
            "(leakear-convert convert --help shows one), or convert a run folder of leakear-train"
        )
    return checked(described(path, spec_file), path)


def _is_model_file(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"TFL3"


def described(path: Path, spec_file: Path) -> Source:
    """Load a network without a run folder, with the description of its input. Raises InputDataError, ModelError."""
    spec = _description(spec_file)
    if strange := sorted(set(spec) - DESCRIPTION_KEYS):
        raise InputDataError(
            f"{spec_file} has an unknown key {strange[0]!r}; known: {', '.join(sorted(DESCRIPTION_KEYS))}"
        )
    defaults = {"schema": 1, "name": path.stem, "created": "", "preset": "own", "licences": [], "attribution": []}
    try:
        examples = [spec_file.parent / spec.pop(key) for key in ("calibration", "heldout")]
        info = RunInfo.from_json({**defaults, **spec}, str(spec_file))
    except KeyError as error:
        raise InputDataError(f"{spec_file} lacks {error}: leakear-convert convert --help shows a whole one") from None
    except ValueError as error:
        if isinstance(error, LeakearError):
            raise
        raise InputDataError(f"{spec_file}: {error}") from None
    network = _saved_model(path, info) if path.is_dir() else _keras(path)
    logit = to_logit(network, str(spec.get("output_positive", "Leak")), str(path))
    calibration, heldout = (Run(file.parent, info).examples(file.name) for file in examples)
    return Source(logit, info, calibration, heldout)


def checked(source: Source, path: Path) -> Source:
    """Return the source when network, description and windows match; else raise ModelError."""
    wanted, found = (*source.info.spectrogram.shape, 1), tuple(source.network.input_shape[1:])
    if found != wanted:
        raise ModelError(
            f"{path}: the network takes {found}, its spectrogram is {wanted} (rows, frames, 1): give the "
            "sample rate, window, n_fft, hop and band that it was trained with"
        )
    if tuple(source.network.output_shape[1:]) != (1,):
        raise ModelError(f"{path}: the network gives {source.network.output_shape}, leakear needs one logit for Leak")
    for name, examples in (("calibration", source.calibration), ("held-out", source.heldout)):
        if examples.codes.shape[1:] != source.info.spectrogram.shape or examples.codes.dtype != np.uint8:
            raise ModelError(
                f"{path}: its {name} windows are {examples.codes.dtype} {examples.codes.shape[1:]}, "
                f"not uint8 {source.info.spectrogram.shape}"
            )
    return source


def float_logits(network: Any, codes: NDArray[np.uint8], batch: int = 8) -> NDArray[np.float64]:
    """Return the float network's logits, shape (n,), of windows (n, rows, frames)."""
    starts = tqdm(range(0, len(codes), batch), "float network", unit="batch", leave=False, disable=None)
    parts = (codes[i : i + batch, ..., None].astype(np.float32) / np.float32(255) for i in starts)
    return np.concatenate([np.asarray(network.predict_on_batch(part), np.float64)[:, 0] for part in parts])


def _keras(path: Path) -> Any:
    import keras

    try:
        network = keras.models.load_model(path, compile=False)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} is not a Keras model that can be opened here: {reason}") from error
    return in_float32(network, str(path))


def _saved_model(path: Path, info: RunInfo) -> Any:
    """Wrap a SavedModel's serving function; its output must be the logit, because its layers cannot be changed."""
    import keras

    try:
        layer = keras.layers.TFSMLayer(str(path), call_endpoint="serving_default")
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} is not a SavedModel that can be opened here: {reason}") from error
    refuse_half(layer.call_endpoint_fn, str(path))
    inputs = keras.Input((*info.spectrogram.shape, 1), name="spectrogram")
    outputs = layer(inputs)
    if isinstance(outputs, Mapping):
        outputs = next(iter(outputs.values()))
    return keras.Model(inputs, outputs)


def _description(path: Path) -> dict[str, Any]:
    try:
        spec = json.loads(texts.read(path))
    except OSError as error:
        raise InputDataError(f"{path} cannot be read: {error.strerror}") from None
    except texts.TextError as error:
        raise InputDataError(f"{path} {error}") from None
    except ValueError as error:
        raise InputDataError(f"{path} is not JSON: {error}") from None
    if not isinstance(spec, dict):
        raise InputDataError(f"{path} must hold one JSON object: leakear-convert convert --help shows one")
    return spec


def _sites(run: Path) -> dict[str, str]:
    """Read recording → site from split.json."""
    file = run / "split.json"
    try:
        recordings = json.loads(file.read_text(encoding="utf-8"))["files"]
        return {str(item["file"]): str(item["site"]) for item in recordings if item.get("site") is not None}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputDataError(f"{file} cannot be read ({error}): train again") from error
