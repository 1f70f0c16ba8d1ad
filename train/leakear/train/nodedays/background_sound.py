"""Nights of real background: recordings looped for minutes at a simulated site, with or without a simulated leak.

Long sounds (rain, waves, engines, a tap) are played one after the other with pauses between them; short ones (a dog,
a sneeze) come at random all night. Expected folders: `esc-10/CLASS/*.ogg` and `speech-commands-noise/*.wav`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.recordings import read_wav
from leakear.edge.errors import InputDataError
from leakear.edge.spec import SpectrogramSpec
from leakear.train.simulator import RATE, Array, Renderer, Scene, Site
from leakear.train.simulator.units import HOP, frequencies, power

STEADY = (
    "rain",
    "sea-waves",
    "chainsaw",
    "helicopter",
    "running_tap",
    "fire-crackling",
    "doing_the_dishes",
    "exercise_bike",
    "pink_noise",
    "white_noise",
)
"""Long sounds."""
SHORT = ("dog-bark", "rooster", "baby-cry", "person-sneeze", "clock-tick", "dude_miaowing")
"""Short sounds."""
CLIPS = 8
"""Clips of one class in a loop."""
PAUSE_S = 1800.0
"""Seconds between two long sounds."""
FADE_S = 0.05
"""Seconds of cross-fade between clips of a loop."""


def sources(folder: Path) -> dict[str, list[Path]]:
    """Find the recordings of each sound. Raises InputDataError when the folder holds none."""
    found = {path.name: sorted(path.glob("*.ogg")) for path in sorted((folder / "esc-10").glob("*/"))}
    found |= {path.stem: [path] for path in sorted((folder / "speech-commands-noise").glob("*.wav"))}
    if not found:
        raise InputDataError(f"{folder} holds neither esc-10/CLASS/*.ogg nor speech-commands-noise/*.wav")
    return found


def loop(paths: list[Path], rng: np.random.Generator) -> Array:
    """Join some recordings, each at the same level, into a loop without a seam: samples (n,) of mean square 1."""
    chosen = rng.choice(len(paths), min(CLIPS, len(paths)), replace=False)
    fade = int(FADE_S * RATE)
    rise = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32))
    parts = []
    for k in chosen:
        sound = read_wav(paths[k], SpectrogramSpec(), channel="mix")
        sound = sound / max(float(np.sqrt(np.mean(sound**2))), 1e-6)
        sound[:fade] *= rise
        sound[-fade:] *= rise[::-1]
        parts.append(sound)
    out = np.zeros(sum(len(p) - fade for p in parts), np.float32)
    at = 0
    for part in parts:
        out[(at + np.arange(len(part))) % len(out)] += part
        at += len(part) - fade
    return out


class Night:
    """One night at one site. Offers what a simulated day offers: `blocks` and `truth`."""

    def __init__(
        self,
        site: Site,
        seed: int,
        folder: Path,
        *,
        leak_db: float | None,
        minutes: float = 20.0,
        pause_s: float = PAUSE_S,
    ) -> None:
        self.site = site
        self.leak_db = leak_db
        self.pause_s = pause_s
        self._rng = np.random.default_rng([site.seed, seed, 0x419])
        self._renderer = Renderer(site, int(self._rng.integers(2**40)))
        found = sources(folder)
        self._loops = {name: self._heard(loop(found[name], self._rng)) for name in STEADY if name in found}
        self._shorts = [self._heard(loop(found[name], self._rng)) for name in SHORT if name in found]
        self.events = self._plan(minutes * 60)

    @property
    def seconds(self) -> float:
        """Length of the night."""
        return float(self.events[-1]["end_s"]) + self.pause_s

    def _heard(self, sound: Array) -> Array:
        """Pass a loop through the site's sensor, round and round."""
        spectrum = scipy.fft.rfft(sound)
        f = np.maximum(np.linspace(0, RATE / 2, spectrum.size, dtype=np.float32), frequencies()[0])
        return np.asarray(scipy.fft.irfft(spectrum * np.sqrt(self.site.sensor.response(f)), len(sound)), np.float32)

    def _plan(self, length_s: float) -> list[dict[str, Any]]:
        at, events = self.pause_s, []
        for name in self._loops:
            level = float(self._rng.uniform(-45, -25))
            events.append(
                {"kind": "recording", "name": name, "start_s": at, "end_s": at + length_s, "level_dbfs": level}
            )
            at += length_s + self.pause_s
        return events

    def blocks(self, *, step_s: float = 10.0) -> Iterator[Block]:
        """Stream the night; every stretch is made, whatever the step."""
        del step_s
        for index in range(int(self.seconds * RATE) // HOP):
            scene = Scene(leak_db=self._leak_now(index * HOP / RATE))
            out = self._renderer.render(index, scene) + self._recorded(index)
            at = index * HOP / RATE
            yield Block(index * HOP, np.clip(out, -1, 1), at, at)

    def _leak_now(self, seconds: float) -> float | None:
        return self.leak_db if self.leak_db is not None and seconds >= self.pause_s else None

    def _recorded(self, index: int) -> Array:
        """Make the recorded part of a stretch, samples (HOP,)."""
        out = np.zeros(HOP, np.float32)
        seconds = index * HOP / RATE
        for event in self.events:
            if event["start_s"] <= seconds < event["end_s"]:
                out += np.float32(np.sqrt(power(event["level_dbfs"]))) * _read(self._loops[event["name"]], index * HOP)
        rng = np.random.default_rng([self.site.seed, index, 0x50])
        if self._shorts and rng.random() < HOP / RATE / 60:
            sound = self._shorts[int(rng.integers(len(self._shorts)))]
            out += np.float32(np.sqrt(power(rng.uniform(-50, -25)))) * _read(sound, int(rng.integers(len(sound))))
        return out

    def truth(self) -> Mapping[str, Any]:
        """Describe the night as a simulated day is described."""
        leaks = []
        if self.leak_db is not None:
            leaks = [{"kind": "leak", "start_s": self.pause_s, "end_s": self.seconds, "snr_db": self.leak_db}]
        return {"schema": 1, "site": self.site.name, "seconds": self.seconds, "events": [*leaks, *self.events]}


def _read(sound: Array, start: int) -> Array:
    """Read HOP samples of a loop from a place."""
    return np.take(sound, np.arange(start, start + HOP), mode="wrap")
