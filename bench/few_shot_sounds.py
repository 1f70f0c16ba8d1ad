"""A sensor that no training has heard, in a room of its own: simulated clips of two halves, for `bench.few_shot`."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.fft
import soundfile

from leakear.edge import files
from leakear.edge.spec import Samples
from leakear.train.simulator import RATE, Site, clip
from leakear.train.simulator.flow import Flow
from leakear.train.simulator.sensor import Sensor

FIRST_SITE = 985_000
"""Simulated sites from here on; no other command uses these."""
SITES = 100
"""Sites of one sensor at most."""
SNR_DB = (6.0, 30.0)
"""Level of a leak over the stationary sound in the sensor's band: it can be heard in one window."""
GAIN_DB = (-30.0, -12.0)
"""Range of the sensor's gain against that of the simulator's sites."""
RESPONSE_DB = 6.0
"""Standard deviation of the response at its knots, dB: twice what training changes it by."""
KNOTS = 10
REVERBERATION_S = (0.1, 0.8)
"""Range of the time in which the room's sound falls by 60 dB."""
REVERBERANT_DB = (-6.0, 6.0)
"""Range of the room's sound over the direct one."""


@dataclass(frozen=True)
class NewSensor:
    """A sensor with its response, gain and room."""

    sensor: Sensor
    gain: float
    """Factor on samples."""
    response: Samples
    """Factor on each bin of a 10 s spectrum, complex."""

    @classmethod
    def draw(cls, seed: int, samples: int) -> "NewSensor":
        """Draw a sensor for sounds of so many samples."""
        rng = np.random.default_rng([seed, 0xFE3])
        sensor = replace(Sensor.draw(rng, -33.0), agc=False, bits=24)
        hz = scipy.fft.rfftfreq(samples, 1 / RATE)
        knots = np.geomspace(20, RATE / 2, KNOTS)
        decibels = np.interp(np.log(np.maximum(hz, 20)), np.log(knots), rng.normal(0, RESPONSE_DB, KNOTS))
        gain = 10 ** (rng.uniform(*GAIN_DB) / 20)
        return cls(sensor, gain, np.asarray(10 ** (decibels / 20) * scipy.fft.rfft(_room(rng), samples), np.complex64))

    def hear(self, sound: Samples) -> Samples:
        """Return a sound (n,) as this sensor hears it in its room."""
        heard = scipy.fft.irfft(scipy.fft.rfft(sound) * self.response, len(sound))
        loudness = np.sqrt(np.mean(sound**2) / max(float(np.mean(heard**2)), 1e-20))
        return np.asarray(heard * self.gain * loudness, np.float32)


def _room(rng: np.random.Generator) -> Samples:
    """Draw an impulse response: the direct sound, then noise that decays exponentially."""
    seconds = rng.uniform(*REVERBERATION_S)
    time = np.arange(round(seconds * RATE)) / RATE
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    tail *= 10 ** (rng.uniform(*REVERBERANT_DB) / 20) / np.sqrt(np.sum(tail**2))
    tail[0] += 1
    return np.asarray(tail, np.float32)


def write(folder: Path, seed: int, numbers: range, *, other_places: bool = False) -> None:
    """Write one clip with a leak and one without for each number, as class folders, unless they are there.

    Each number is another leak and another day at the sensor's place; with `other_places` also another place.
    """
    for number in numbers:
        for label in ("Leak", "NoLeak"):
            path = folder / label / f"{number:02}-{label.lower()}.wav"
            if path.is_file():
                continue
            heard = _clip(seed, number, leak=label == "Leak", other_places=other_places)
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(path) as part, part.open("wb") as file:
                soundfile.write(file, heard, RATE, "FLOAT", format="WAV")


def _clip(seed: int, number: int, *, leak: bool, other_places: bool) -> Samples:
    new = NewSensor.draw(seed, 10 * RATE)
    first = FIRST_SITE + seed * SITES
    place = replace(Site.draw(first + other_places * number), sensor=new.sensor)
    rng = np.random.default_rng([seed, number, 0xFE4])
    place = replace(place, leak=Flow.draw(rng, place.pipe))
    snr_db = float(rng.uniform(*SNR_DB))
    return new.hear(clip(place, "Leak" if leak else "NoLeak", 2 * number + leak, snr_db=snr_db))
