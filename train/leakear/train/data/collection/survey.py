"""Listens to every recording once before training: its length, level, faults, and whether others hold the same sound.

The health of each window is judged by the node's own monitor. Results are kept in the cache, so an interrupted survey
continues and a second one takes seconds.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.audio.channels import Channel, Choice, each, pick
from leakear.edge.audio.resample import Resampler
from leakear.edge.audio.sound_file import opened
from leakear.edge.errors import InputDataError
from leakear.edge.health.measures import Measures, measure
from leakear.edge.health.monitor import HealthMonitor, HealthOptions
from leakear.edge.spec import Samples, SpectrogramSpec
from leakear.edge.spectrogram.short_spectra import short_powers
from leakear.edge.texts import printable
from leakear.train.data.augmentation import loop
from leakear.train.data.collection import fingerprints
from leakear.train.data.dataset import Recording
from leakear.train.work.jobs import Jobs
from leakear.train.work.tasks import unordered

VERSION = 2
UNUSABLE = ("nan", "digital_silence", "stuck", "clipping")
"""Faults of a sensor whose windows hold no sound of the pipe: they are not trained on."""
SHORTEST_S = 1.0
"""A shorter recording is not trained on: repeated to a window, it sounds like a machine."""
_SILENT = 2e-5
"""Largest sample of a channel that is digital silence."""


@dataclass(frozen=True)
class Facts:
    """What one recording holds."""

    sha256: str = ""
    """Of the file."""
    sound: str = ""
    """sha256 of the decoded sound, all channels, with its rate: equal for two containers of one sound."""
    rate: int = 0
    channels: int = 0
    silent_channels: tuple[int, ...] = ()
    """Channels, from 1, that hold nothing but zeros."""
    seconds: float = 0.0
    level_dbfs: float | None = None
    """Median of the windows' levels, dBFS re a full-scale sine."""
    peak: float = 0.0
    """Largest sample, full scale 1."""
    clip_ratio: float = 0.0
    """Largest share of clipped samples in a window."""
    bandwidth_hz: float = 0.0
    """Highest frequency at which anything was measured, median of the windows."""
    windows: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    """Fault → windows that have it, by the node's health check."""
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
    """Hexadecimal, see `fingerprints`."""
    error: str = ""
    """Why it cannot be read; empty: it can."""

    def unusable(self, *, clipped: bool = False) -> str:
        """Return why no window can be used; empty: some can. `clipped`: clipped windows can be used."""
        if self.error:
            return self.error
        if self.seconds < SHORTEST_S:
            return f"lasts {self.seconds:.2f} s, and {SHORTEST_S:g} s are needed; record longer"
        bad = {name: n for name, n in self.faults.items() if name in UNUSABLE and not (clipped and name == "clipping")}
        if self.windows and sum(bad.values()) >= self.windows:
            name = max(bad, key=lambda fault: bad[fault])
            return f"a node would report {name} in each window: {_REMEDY[name]}"
        return ""


_REMEDY = {
    "nan": "its samples are not within ±1; convert it to PCM with the right scale",
    "digital_silence": "it holds nothing but zeros; choose another --channel, or leave it out",
    "stuck": "it repeats one value; leave it out",
    "clipping": "the recorder was overdriven; record with less gain",
}


def survey(
    recordings: Sequence[Recording], spec: SpectrogramSpec, channel: Choice, cache: Path, jobs: Jobs
) -> list[Facts]:
    """Listen to recordings; return the facts of each, in the same order."""
    tasks = [(r.path.absolute(), spec, channel, cache.absolute() / "survey") for r in recordings]
    jobs = 1 if len(tasks) < 40 else jobs  # starting others takes longer than a few files take
    found: dict[int, Facts] = {}
    with tqdm(total=len(tasks), desc="listening", unit="file", disable=None) as bar:
        for number, facts in unordered(_listen, tasks, jobs, files=[task[0] for task in tasks[:1]]):
            found[number] = facts
            bar.update()
    return [found[number] for number in range(len(tasks))]


def _listen(task: tuple[Path, SpectrogramSpec, Choice, Path]) -> Facts:
    return listen(*task)


def listen(path: Path, spec: SpectrogramSpec, channel: Choice, cache: Path) -> Facts:
    """Return the facts of one recording, from the cache where they are there."""
    if path.exists() and not path.is_file():
        return Facts(error="is no file; name a recording")  # nobody may ever write into a pipe
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        return Facts(error=str(getattr(error, "strerror", "") or error))
    kept = cache / f"{_key(sha256, spec, channel)}.json"
    try:
        values = json.loads(kept.read_text(encoding="utf-8"))
        return Facts(**values | {"silent_channels": tuple(values["silent_channels"]), "notes": tuple(values["notes"])})
    except (OSError, ValueError, TypeError, KeyError):
        facts = _heard(path, spec, channel, sha256)
    cache.mkdir(parents=True, exist_ok=True)
    files.write(kept, json.dumps(asdict(facts)).encode())
    return facts


def _key(sha256: str, spec: SpectrogramSpec, channel: Choice) -> str:
    how = json.dumps([sha256, spec.to_json(), channel, VERSION, fingerprints.VERSION])
    return hashlib.sha256(how.encode()).hexdigest()[:32]


def _heard(path: Path, spec: SpectrogramSpec, channel: Choice, sha256: str) -> Facts:
    ear = _Ear(spec, channel)
    try:
        with opened(path) as sound:
            for chunk in sound.chunks():
                ear.push(chunk.rate, chunk.frames)
            ear.end()
            return ear.facts(sha256, tuple(dict.fromkeys(sound.notes)))
    except InputDataError as error:
        return Facts(sha256=sha256, error=str(error).removeprefix(f"{printable(path)}: "))


class _Ear:
    """Collects the facts of one recording, block by block."""

    def __init__(self, spec: SpectrogramSpec, channel: Choice) -> None:
        self._spec = spec
        self._choice = channel
        self._hash = hashlib.sha256()
        self._rate = 0
        self._frames = 0
        self._peaks: npt.NDArray[np.float32] = np.zeros(0, np.float32)
        self._streams: list[_Channel] = []

    def push(self, rate: int, frames: npt.NDArray[np.float32]) -> None:
        """Take a block, shape (n, channels). Raises InputDataError."""
        if not self._streams:
            self._rate = rate
            self._peaks = np.zeros(frames.shape[1], np.float32)
            self._hash.update(f"{rate} {frames.shape[1]} ".encode())
            self._streams = [_Channel(self._spec, rate, c) for c in each(self._choice, frames.shape[1])]
        elif rate != self._rate or frames.shape[1] != len(self._peaks):
            raise InputDataError("holds recordings of different rates or channels; divide it into files")
        if not np.isfinite(frames).all():
            raise InputDataError("holds samples that are no numbers (NaN or infinity); convert it to PCM")
        self._hash.update(np.ascontiguousarray(frames).tobytes())
        self._frames += len(frames)
        self._peaks = np.maximum(self._peaks, np.abs(frames).max(axis=0))
        for stream in self._streams:
            stream.push(frames)

    def end(self) -> None:
        """Take what is left."""
        for stream in self._streams:
            stream.end()

    def facts(self, sha256: str, notes: tuple[str, ...]) -> Facts:
        """Return what was found."""
        measures = [m for stream in self._streams for m in stream.measures]
        levels = [m.level_dbfs for m in measures if m.finite]
        return Facts(
            sha256=sha256,
            sound=self._hash.hexdigest(),
            rate=self._rate,
            channels=len(self._peaks),
            silent_channels=tuple(int(k) + 1 for k in np.flatnonzero(self._peaks < _SILENT)),
            seconds=self._frames / self._rate,
            level_dbfs=float(np.median(levels)) if levels else None,
            peak=float(self._peaks.max(initial=0.0)),
            clip_ratio=max((m.clip_ratio for m in measures), default=0.0),
            bandwidth_hz=float(np.median([m.bandwidth_hz for m in measures])) if measures else 0.0,
            windows=len(measures),
            faults=dict(Counter(name for stream in self._streams for window in stream.faults for name in window)),
            notes=notes,
            fingerprint=self._streams[0].fingerprint if self._streams else "",
        )


class _Channel:
    """Windows and fingerprint of one channel."""

    def __init__(self, spec: SpectrogramSpec, rate: int, channel: Channel) -> None:
        self._spec = spec
        self._channel = channel
        self._resampler = Resampler(rate, spec.sample_rate)
        self._pending: Samples = np.zeros(0, np.float32)
        self._print = fingerprints.Stream(rate)
        self.measures: list[Measures] = []
        self.faults: list[tuple[str, ...]] = []

    def push(self, frames: npt.NDArray[np.float32]) -> None:
        """Take a block, shape (n, channels). Raises InputDataError."""
        try:
            samples = np.ascontiguousarray(pick(frames, self._channel))
        except IndexError:
            raise InputDataError(f"has no channel {self._channel}, only 1 to {frames.shape[1]}") from None
        self._print.push(samples)
        self._take(self._resampler.push(samples))

    def end(self) -> None:
        """Judge the rest, where there was no whole window."""
        self._take(self._resampler.push(np.zeros(0, np.float32), last=True))
        if not self.measures and len(self._pending):
            fade = round(0.05 * self._spec.sample_rate)
            self._judge(loop(self._pending, self._spec.window_samples, 0, fade))

    @property
    def fingerprint(self) -> str:
        """Of the sound so far."""
        return self._print.hex()

    def _take(self, samples: Samples) -> None:
        self._pending = np.concatenate([self._pending, samples])
        length = self._spec.window_samples
        while len(self._pending) >= length:
            self._judge(self._pending[:length])
            self._pending = self._pending[length:]

    def _judge(self, window: Samples) -> None:
        measures, faults = health(window, self._spec)
        self.measures.append(measures)
        self.faults.append(faults)


def health(window: Samples, spec: SpectrogramSpec) -> tuple[Measures, tuple[str, ...]]:
    """Return the measures of a window, shape (window_samples,), and the faults that a node names at once."""
    measures = measure(window, short_powers(window, spec), spec)
    return measures, HealthMonitor(HealthOptions(), spec).check(measures, 0.0).faults
