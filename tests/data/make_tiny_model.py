"""Make tiny.tflite: a real int8 model of a few KB for tests that must not wait for the factory model.

    python tests/data/make_tiny_model.py

It hears steady broadband sound between 20 and 1800 Hz as Leak and silence, hiss below −70 dBFS, hum, clicks and short
bursts as NoLeak. Trained in seconds on synthetic sound: it knows nothing of real leaks.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leakear.edge.spectrogram import SpectrogramSpec, spectrogram

SPEC = SpectrogramSpec(reference="full-scale", band_hz=(20.0, 1800.0))
COUNT = 120
"""windows of each class"""


def leak(rng: np.random.Generator) -> NDArray[np.float64]:
    """Steady broadband noise, −50 to −15 dBFS, falling 0 to 9 dB an octave above a corner."""
    return coloured(rng) * 10 ** (rng.uniform(-50, -15) / 20)


def no_leak(rng: np.random.Generator) -> NDArray[np.float64]:
    """One of: silence, hiss, hum, clicks, a burst of the very noise of a leak."""
    n = SPEC.window_samples
    hiss = rng.standard_normal(n) * 10 ** (rng.uniform(-100, -70) / 20)
    kind = rng.integers(5)
    if kind == 0:
        return np.zeros(n)
    if kind == 1:
        return hiss
    if kind == 2:
        tones = np.sin(2 * np.pi * rng.choice([50, 60, 100]) * np.outer(range(1, 6), np.arange(n)) / SPEC.sample_rate)
        return hiss + tones.T @ rng.uniform(0, 0.1, 5)
    if kind == 3:
        hiss[rng.integers(0, n, rng.integers(1, 12))] += rng.uniform(0.1, 0.9)
        return hiss
    length = int(n * rng.uniform(0.03, 0.35))
    start = rng.integers(0, n - length)
    hiss[start : start + length] += leak(rng)[:length]
    return hiss


def coloured(rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of unit RMS with a random corner and slope."""
    n = SPEC.window_samples
    hertz = np.fft.rfftfreq(n, 1 / SPEC.sample_rate)
    shaped = np.fft.rfft(rng.standard_normal(n)) / (1 + (hertz / rng.uniform(300, 4000)) ** rng.uniform(0, 1.5))
    sound = np.fft.irfft(shaped, n)
    return sound / np.sqrt(np.mean(sound**2))


def examples(seed: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return codes, shape (2·count, rows, frames), and labels."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.uint8([0, 1]), count)
    sounds = (np.clip((leak if label else no_leak)(rng), -1, 1).astype(np.float32) for label in labels)
    decibels = np.stack([spectrogram(sound, SPEC) for sound in sounds])
    return np.rint((decibels - SPEC.floor) * (-255 / SPEC.floor)).astype(np.uint8), labels


def train(codes: NDArray[np.uint8], labels: NDArray[np.uint8]) -> "object":
    """Fit a network of about a thousand parameters."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(7)
    inputs = keras.Input((*SPEC.shape, 1), name="spectrogram")
    x = layers.Conv2D(8, (8, 8), strides=(8, 8), activation="relu", name="stem")(inputs)
    x = layers.Conv2D(12, (4, 3), strides=(4, 3), activation="relu", name="body")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(16, activation="relu", name="mix")(x)
    network = keras.Model(inputs, layers.Dense(1, name="logit")(x), name="tiny")
    network.compile(keras.optimizers.Adam(3e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    network.fit(codes[..., None] / np.float32(255), labels, batch_size=16, epochs=25, verbose=0)
    return network


def main() -> None:
    """Train, convert, verify, write beside this file."""
    from leakear.convert import cli
    from leakear.train.runfolder import CALIBRATION, HELDOUT, Examples, RunInfo, save_examples, save_info

    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        codes, labels = examples(1, COUNT)
        train(codes, labels).save(run / "model.keras")  # type: ignore[attr-defined]
        sites = tuple(f"{('quiet', 'leak')[label]}-{i % 4}.wav" for i, label in enumerate(labels))
        save_examples(run, CALIBRATION, Examples(codes, labels, sites))
        save_examples(run, HELDOUT, Examples(*examples(2, 60), sites[:120]))
        save_info(run, RunInfo("tiny", "2026-11-22T00:00:00Z", "tiny", SPEC, data={"sha256": "0" * 64}))
        (run / "split.json").write_text(json.dumps({"files": []}), encoding="utf-8")
        raise SystemExit(cli.main([str(run), "-o", str(Path(__file__).with_name("tiny.tflite"))]))


if __name__ == "__main__":
    main()
