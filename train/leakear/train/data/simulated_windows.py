"""Simulated windows for training, as codes 0 to 255: read from the cache, or made from their seeds.

Half of them have a leak. Some are mixed with real background sound. Leaks stay audible above it; windows without a leak
get the same sounds at any level, so that the background does not tell the label. Half of them, whatever their label,
are limited to a noise logger's band, as the recordings are.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache as remember
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge.audio.recordings import read_wav
from leakear.edge.spec import Samples, SpectrogramSpec
from leakear.edge.spectrogram import spectrogram
from leakear.train import simulator
from leakear.train.data.augmentation import band_limited, loop
from leakear.train.data.clips import Codes, encode
from leakear.train.simulator import RATE, Site, clip
from leakear.train.work.jobs import Jobs
from leakear.train.work.tasks import unordered

VERSION = 5
"""Increased when code outside the simulator and this file would give other windows."""
LOGGER_RATE = 4096
"""Sample rate of most noise loggers, Hz."""


@dataclass(frozen=True)
class Plan:
    """Which simulated windows to make."""

    first_site: int
    """Number of the first site."""
    sites: int = 500
    per_site: int = 6
    """Windows per site, alternating NoLeak and Leak."""
    snr_db: tuple[float, float] = (3.0, 30.0)
    """Range of a leak's level over stationary sound, in its own band; below it is not audible in one window."""
    mixed: float = 0.35
    """Fraction that is mixed with real background."""
    limited: float = 0.5
    """Fraction that is limited to the band of LOGGER_RATE."""


@dataclass(frozen=True)
class Windows:
    """Labelled windows in memory."""

    codes: Codes
    """(n, rows, frames)"""
    targets: npt.NDArray[np.uint8]
    """(n,) 1 = Leak"""
    sites: npt.NDArray[np.int64]
    """(n,) number of the site; a split keeps a site on one side"""

    def __len__(self) -> int:
        return len(self.targets)


def windows(plan: Plan, spec: SpectrogramSpec, backgrounds: Sequence[Path], cache: Path, jobs: Jobs = 2) -> Windows:
    """Make the windows of a plan, or read them from the cache."""
    sounds = [hashlib.sha256(background.read_bytes()).hexdigest() for background in backgrounds]
    facts = {**asdict(plan), "spec": spec.to_json(), "backgrounds": sounds, "code": _code(), "version": VERSION}
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]
    path = cache / f"simulated-{key}.npy"
    if not path.is_file():
        _write(path, plan, spec, tuple(background.absolute() for background in backgrounds), jobs)
    number = np.arange(plan.sites * plan.per_site)
    sites = plan.first_site + number // plan.per_site
    return Windows(np.load(path, mmap_mode="r"), (number % plan.per_site % 2).astype(np.uint8), sites)


def _code() -> str:
    """Return a digest of the code that makes the windows."""
    folder = Path(simulator.__file__).parent
    files = [*sorted(folder.rglob("*.py")), Path(__file__)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _write(path: Path, plan: Plan, spec: SpectrogramSpec, backgrounds: tuple[Path, ...], jobs: Jobs) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    shape = (plan.sites * plan.per_site, *spec.shape)
    codes = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
    sites = range(plan.first_site, plan.first_site + plan.sites)
    made = unordered(partial(_site, plan, spec, backgrounds), sites, jobs, files=backgrounds)
    for number, part in tqdm(made, "simulated sites", len(sites), disable=None):
        codes[number * plan.per_site : (number + 1) * plan.per_site] = part
    codes.flush()
    temporary.replace(path)


def _site(plan: Plan, spec: SpectrogramSpec, backgrounds: tuple[Path, ...], number: int) -> Codes:
    """Make one site's windows, shape (per_site, rows, frames)."""
    site = Site.draw(number)
    made = []
    for seed in range(plan.per_site):
        rng = np.random.default_rng([number, seed, 0x5EED])
        leak = bool(seed % 2)
        sound = clip(site, "Leak" if leak else "NoLeak", seed, snr_db=float(rng.uniform(*plan.snr_db)))
        if backgrounds and rng.random() < plan.mixed:
            sound = _mix(sound, backgrounds, rng, spec, leak=leak)
        if rng.random() < plan.limited:
            sound = band_limited(sound, RATE, LOGGER_RATE)
        made.append(encode(spectrogram(sound, spec), spec))
    return np.stack(made)


def _mix(
    sound: Samples, backgrounds: tuple[Path, ...], rng: np.random.Generator, spec: SpectrogramSpec, *, leak: bool
) -> Samples:
    """Add background at −25 to 0 dB relative to a leak's window, at −10 to 30 dB relative to another."""
    other = _background(backgrounds[rng.integers(len(backgrounds))], spec)
    other = loop(other, len(sound), int(rng.integers(len(other))), round(0.05 * RATE))
    ratio = rng.uniform(-25, 0) if leak else rng.uniform(-10, 30)
    power = float(np.var(sound)) * 10 ** (ratio / 10)
    scale = np.sqrt(min(power, 0.05) / max(float(np.var(other)), 1e-12))
    return np.clip(sound + np.float32(scale) * other, -1, 1).astype(np.float32)


@remember
def _background(path: Path, spec: SpectrogramSpec) -> Samples:
    sound = read_wav(path, spec, channel="mix")
    return (sound - sound.mean()).astype(np.float32)
