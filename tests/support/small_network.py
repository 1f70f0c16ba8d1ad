"""A small network trained on synthetic spectrograms and the run folder of it: the real tools over real files, fast."""

import json
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from leakear.edge.spectrogram import SpectrogramSpec
from leakear.train.runfolder import CALIBRATION, HELDOUT, Examples, RunInfo, save_examples, save_info

Capture: TypeAlias = pytest.CaptureFixture[str]
SPEC = SpectrogramSpec("full-scale", 4096, 4.0, 512, 256, band_hz=(20.0, 1800.0))
"""(223, 65): a sixtieth of the product's"""


def spectra(seed: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Codes, shape (2·count, rows, frames): NoLeak quiet or short, Leak loud and steady; and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.array([0, 1], np.uint8), count)
    level = np.where(labels == 1, rng.uniform(110, 190, 2 * count), rng.uniform(20, 90, 2 * count))
    slope = np.linspace(0, -60, SPEC.rows)[None, :, None] * rng.uniform(0, 1, (2 * count, 1, 1))
    codes = level[:, None, None] + slope + rng.normal(0, 8, (2 * count, *SPEC.shape))
    burst = (labels == 0) & (rng.random(2 * count) < 0.3)
    codes[burst, :, :10] += 90
    return np.clip(codes, 0, 255).astype(np.uint8), labels


def network(units: int = 24, ending: str = "logit", shape: tuple[int, int] = SPEC.shape) -> object:
    """A trained Keras network; `ending` is logit, sigmoid, sigmoid-noleak or softmax."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    inputs = keras.Input((*shape, 1), name="spectrogram")
    x = layers.Conv2D(8, (8, 4), strides=(8, 4), activation="relu", name="stem")(inputs)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(units, activation="relu", name="mix")(x)
    x = layers.Dense(units, activation="relu", name="mix2")(x)
    end, activation = {"logit": (1, None), "softmax": (2, "softmax")}.get(ending, (1, "sigmoid"))
    built = keras.Model(inputs, layers.Dense(end, activation=activation, name="end")(x), name="small")
    losses = {"logit": keras.losses.BinaryCrossentropy(from_logits=True), "softmax": "sparse_categorical_crossentropy"}
    built.compile(keras.optimizers.Adam(5e-3), losses.get(ending, "binary_crossentropy"))
    if shape == SPEC.shape:
        codes, labels = spectra(1, 80)
        target = 1 - labels if ending == "sigmoid-noleak" else labels
        built.fit(codes[..., None] / np.float32(255), target, batch_size=16, epochs=8, verbose=0)
    return built


def examples(seed: int, count: int) -> Examples:
    codes, labels = spectra(seed, count)
    return Examples(codes, labels, tuple(f"{('quiet', 'leak')[y]}-{i % 6}.wav" for i, y in enumerate(labels)))


def write_run(folder: Path, model: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")  # type: ignore[attr-defined]
    save_examples(folder, CALIBRATION, examples(1, 60))
    save_examples(folder, HELDOUT, examples(2, 20))
    info = RunInfo(
        "small", "2026-11-22T00:00:00Z", "test", SPEC, threshold=0.6, temperature=1.5, data={"sha256": "a" * 64},
        decision={"on_fraction": 0.8}, licences=("CC0-1.0",), attribution=("synthetic",),
        metrics={"windows": {"count": 43}},
    )  # fmt: skip
    save_info(folder, info)
    files = [{"file": f"{kind}-{i}.wav", "site": f"{kind}-{i % 3}"} for kind in ("quiet", "leak") for i in range(6)]
    (folder / "split.json").write_text(json.dumps({"files": files}), encoding="utf-8")
    return folder
