"""Windows of background sound, without a leak: hard negatives, as codes 0 to 255, read from the cache or computed.

Each file gives a few windows. Half of them are limited to a noise logger's band, as simulated windows are, and all have
some self-noise of a sensor: neither the band nor digital silence may tell the network the source.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.audio.recordings import read_wav
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram import spectrogram
from leakear.train.data import augmentation
from leakear.train.data.augmentation import band_limited, loop
from leakear.train.data.clips import Codes, encode
from leakear.train.data.simulated_windows import LOGGER_RATE, Windows
from leakear.train.work.jobs import Jobs
from leakear.train.work.tasks import ordered

VERSION = 2
"""Increased when the same files would give other windows."""
PER_FILE = 3
"""Windows of each file."""
NOISE_DB = (-60.0, -25.0)
"""Self-noise over the window's RMS level, dB: uniform between these."""


def windows(backgrounds: Sequence[Path], spec: SpectrogramSpec, cache: Path, jobs: Jobs = 2) -> Windows:
    """Compute the windows of background files, or read them from the cache; `sites` numbers their sources."""
    sounds = [hashlib.sha256(path.read_bytes()).hexdigest() for path in backgrounds]
    facts = {"backgrounds": sounds, "spec": spec.to_json(), "per_file": PER_FILE, "version": VERSION}
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]
    path = cache / f"background-{key}.npy"
    if not path.is_file():
        sources = [background.absolute() for background in backgrounds]
        made = ordered(partial(_file, spec), sources, jobs, files=sources)
        codes = np.concatenate(list(tqdm(made, "background files", len(backgrounds), disable=None)))
        cache.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as file:
            np.save(file, codes)
    names = sorted({augmentation.source(background) for background in backgrounds})
    numbers = np.array([names.index(augmentation.source(background)) for background in backgrounds], np.int64)
    count = len(backgrounds) * PER_FILE
    return Windows(np.load(path, mmap_mode="r"), np.zeros(count, np.uint8), np.repeat(numbers, PER_FILE))


def _file(spec: SpectrogramSpec, path: Path) -> Codes:
    """Return the windows of one file, shape (PER_FILE, rows, frames)."""
    seed = int(hashlib.sha256(path.read_bytes()).hexdigest()[:15], 16)
    whole = read_wav(path, spec, channel="mix")
    whole = whole - whole.mean()
    made = []
    for number in range(PER_FILE):
        rng = np.random.default_rng([seed, number])
        sound = loop(whole, spec.window_samples, int(rng.integers(len(whole))), round(0.05 * spec.sample_rate))
        scale = np.sqrt(np.mean(sound**2)) * 10 ** (rng.uniform(*NOISE_DB) / 20)
        sound = sound + np.float32(scale) * rng.standard_normal(len(sound), dtype=np.float32)
        if rng.random() < 0.5:
            sound = band_limited(sound, spec.sample_rate, LOGGER_RATE)
        made.append(encode(spectrogram(sound, spec), spec))
    return np.stack(made)
