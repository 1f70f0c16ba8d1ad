"""Changed copies of a recording, for training only.

`noise`, `stretch`, `pitch` and `roll` are the reference notebook's four, with its numbers. The others keep a leak
recognisable: `mix` adds sound at a given signal-to-noise ratio (the notebook adds noise of fixed level, which hides a
quiet clip), `shift` rotates without a step, `gain` changes the level and `tilt` the sensor's response.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from leakear.edge.audio.recordings import read_wav
from leakear.edge.audio.resample import Resampler
from leakear.edge.errors import InputDataError
from leakear.edge.spec import Samples, SpectrogramSpec
from leakear.train.data.collection.folders import SOUND_SUFFIXES, sounds

Rng: TypeAlias = np.random.Generator

NOTEBOOK = ("noise", "stretch", "pitch", "roll")
"""The reference notebook's augmentations; each copy gets one of them."""
SNR_DB = (0.0, 25.0)
"""Signal over added sound, dB: uniform between these."""
GAIN_DB = (-6.0, 6.0)
TILT_DB = (-6.0, 6.0)
"""Sensor response from the lowest to the highest frequency of the band, dB."""
FLOW_LIKE = ("running_tap", "doing_the_dishes")
"""Background files of running water: mixed into a NoLeak recording they would make its label wrong."""
_FADE_S = 0.05
"""Cross-fade where sound is looped, seconds."""


@dataclass(frozen=True)
class Scene:
    """The recording's properties that an augmentation uses."""

    spec: SpectrogramSpec
    source_rate: int
    """The recording's own sample rate, Hz. Added sound is limited to half of it: else the model learns the source."""
    backgrounds: tuple[Path, ...] = ()


def backgrounds(folder: Path) -> tuple[Path, ...]:
    """List the sound files under a folder that may be mixed in, without hidden ones. InputDataError for none."""
    found = tuple(path for path in sounds(folder) if path.stem not in FLOW_LIKE)
    if not found:
        raise InputDataError(f"{folder} holds no background sound ({', '.join(SOUND_SUFFIXES)}): give another folder")
    return found


def loop(samples: Samples, length: int, start: int, fade: int) -> Samples:
    """Repeat samples (n,) to (length,) from sample `start`; `fade` samples of each end overlap the beginning."""
    fade = min(fade, len(samples) // 2)
    phase = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
    body = samples[fade:].copy()
    if fade:
        body[-fade:] = body[-fade:] * np.cos(phase) + samples[:fade] * np.sin(phase)
    return np.take(body, np.arange(start, start + length), mode="wrap")


def source(path: Path) -> str:
    """Return what a background file was cut from: `1-17367-A.ogg` and `1-17367-B.ogg` are one source, `1-17367`."""
    return path.stem.rsplit("-", 1)[0] if path.stem.count("-") > 1 else path.stem


def divided(folder: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return the background files to train on, and those of a fifth of the sources, which no training uses.

    The source's name decides, so that other files in the folder change nothing. InputDataError when a part is empty.
    """
    found = backgrounds(folder)
    held = tuple(path for path in found if zlib.crc32(source(path).encode()) % 5 == 0)
    training = tuple(path for path in found if path not in held)
    if not held or not training:
        raise InputDataError(f"{folder} holds too few sources of background sound: add some, of each five one is kept")
    return training, held


def band_limited(samples: Samples, rate: int, sensor_rate: int) -> Samples:
    """Return samples (n,) as a sensor of another sample rate would have recorded them, at the same rate and length."""
    narrow = Resampler(rate, sensor_rate).push(samples, last=True)
    wide = Resampler(sensor_rate, rate).push(narrow, last=True)
    return np.pad(wide, (0, max(0, len(samples) - len(wide))))[: len(samples)]


def add_noise(samples: Samples, rng: Rng, _scene: Scene) -> Samples:
    """Add the notebook's white noise of σ = 0.005 (−46 dBFS), independent of the clip's level."""
    return samples + np.float32(0.005) * rng.standard_normal(len(samples), dtype=np.float32)


def time_stretch(samples: Samples, _rng: Rng, _scene: Scene) -> Samples:
    """Play at 0.8 of the speed, at the same pitch (the notebook's)."""
    import librosa

    stretched: Samples = librosa.effects.time_stretch(y=samples, rate=0.8)
    return stretched


def pitch_shift(samples: Samples, _rng: Rng, scene: Scene) -> Samples:
    """Raise by 4 semitones (the notebook's)."""
    import librosa

    shifted: Samples = librosa.effects.pitch_shift(y=samples, sr=scene.spec.sample_rate, n_steps=4)
    return shifted


def roll(samples: Samples, rng: Rng, _scene: Scene) -> Samples:
    """Rotate by up to ±20 %, with a step where the end meets the beginning (the notebook's)."""
    return np.roll(samples, int(len(samples) * 0.2 * rng.uniform(-1, 1)))


def shift(samples: Samples, rng: Rng, scene: Scene) -> Samples:
    """Rotate by any amount, cross-faded where the end meets the beginning."""
    return loop(samples, len(samples), int(rng.integers(len(samples))), round(_FADE_S * scene.spec.sample_rate))


def gain(samples: Samples, rng: Rng, _scene: Scene) -> Samples:
    """Amplify or attenuate; samples beyond full scale are clipped."""
    return np.clip(samples * np.float32(10 ** (rng.uniform(*GAIN_DB) / 20)), -1, 1)


def tilt(samples: Samples, rng: Rng, scene: Scene) -> Samples:
    """Apply another sensor's response, which rises or falls linearly in dB over the recording's band."""
    import scipy.fft

    spectrum = scipy.fft.rfft(samples)
    hz = scipy.fft.rfftfreq(len(samples), 1 / scene.spec.sample_rate)
    position = np.clip(hz / (scene.source_rate / 2), 0, 1) - 0.5
    response = 10 ** (rng.uniform(*TILT_DB) * position / 20)
    filtered: Samples = scipy.fft.irfft(spectrum * response.astype(np.float32), len(samples))
    return np.clip(filtered, -1, 1)


def mix(samples: Samples, rng: Rng, scene: Scene) -> Samples:
    """Add a background, or coloured noise, at a signal-to-noise ratio drawn from SNR_DB."""
    other = _background(rng, scene, len(samples))
    other -= other.mean()
    power = float(np.var(samples)) / max(float(np.mean(other**2)), 1e-20)
    scale = np.sqrt(power * 10 ** (-rng.uniform(*SNR_DB) / 10))
    return np.clip(samples + np.float32(scale) * other, -1, 1)


AUGMENTATIONS: Mapping[str, Callable[[Samples, Rng, Scene], Samples]] = MappingProxyType(
    {
        "noise": add_noise,
        "stretch": time_stretch,
        "pitch": pitch_shift,
        "roll": roll,
        "mix": mix,
        "shift": shift,
        "gain": gain,
        "tilt": tilt,
    }
)


def augment(samples: Samples, names: str, rng: Rng, scene: Scene) -> Samples:
    """Apply the augmentations of `names`, joined by `+`, from left to right; ValueError for an unknown one."""
    for name in names.split("+"):
        if name not in AUGMENTATIONS:
            raise ValueError(f"unknown augmentation {name!r}: choose from {', '.join(AUGMENTATIONS)}")
        samples = AUGMENTATIONS[name](samples, rng, scene)
    return samples


def _background(rng: Rng, scene: Scene, length: int) -> Samples:
    """Return sound to add, shape (length,), band-limited as the recording is."""
    rate = scene.spec.sample_rate
    if scene.backgrounds and rng.random() < 0.7:
        path = scene.backgrounds[rng.integers(len(scene.backgrounds))]
        sound = read_wav(path, scene.spec, channel="mix")
    else:
        sound = _coloured(rng, length, rng.uniform(0, 2))
    if scene.source_rate < rate:
        sound = band_limited(sound, rate, scene.source_rate)
    return loop(sound, length, int(rng.integers(len(sound))), round(_FADE_S * rate))


def _coloured(rng: Rng, length: int, exponent: float) -> Samples:
    """Return noise whose power falls with f^−exponent, shape (length,)."""
    import scipy.fft

    spectrum = scipy.fft.rfft(rng.standard_normal(length, dtype=np.float32))
    spectrum[1:] *= (np.arange(1, len(spectrum), dtype=np.float32)) ** np.float32(-exponent / 2)
    spectrum[0] = 0
    noise: Samples = scipy.fft.irfft(spectrum, length).astype(np.float32)
    return noise
