"""Windows without a leak that `fit` adds to a person's own: simulated surroundings and machines, and given sounds.

A set of few recordings from one place holds no pump, no rain and no traffic, and a network trained on it alone takes
them for a leak. Each sound is written as a recording would be: at the recordings' sample rate, in 16 bits. A running
tap is left out: in one window it sounds as a leak does, and the node tells the two apart by time.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.audio.recordings import rate_and_channels, read_wav
from leakear.edge.audio.resample import Resampler
from leakear.edge.errors import InputDataError
from leakear.edge.spec import Samples, SpectrogramSpec
from leakear.train import simulator
from leakear.train.data import augmentation, dataset
from leakear.train.data.dataset import Recording
from leakear.train.simulator import RATE, Site, clip
from leakear.train.work.jobs import Jobs
from leakear.train.work.tasks import unordered

FIRST_SITE = 690_000
"""Simulated sites from here on; nothing else uses these."""
SITES = 120
"""Simulated sites; each gives a window without a leak."""
GIVEN = 200
"""Windows of given sounds at most."""
WINDOW_S = 10.0
LEAST_RATE = 4000
"""Sounds are not limited to a lower sample rate than this, Hz."""


def sample_rate(recordings: Sequence[Recording]) -> int:
    """Return the sample rate of most of these files, Hz: at least LEAST_RATE, at most the simulator's."""
    found = []
    for recording in recordings:
        try:
            found.append(rate_and_channels(recording.path)[0])
        except InputDataError:
            continue  # named later, where it is read
    rates, counts = np.unique(found or [RATE], return_counts=True)
    return int(np.clip(rates[counts.argmax()], LEAST_RATE, RATE))


def simulated(rate: int, cache: Path, jobs: Jobs | None = None, sites: int = SITES) -> list[Recording]:
    """Make a window of each simulated site, or find it in the cache."""
    key = hashlib.sha256(f"{_code()} {rate}".encode()).hexdigest()[:24]
    folder = cache.absolute() / f"made-{key}"
    numbers = range(FIRST_SITE, FIRST_SITE + sites)
    wanted = [number for number in numbers if not _path(folder, number).is_file()]
    folder.mkdir(parents=True, exist_ok=True)
    if wanted:
        made = unordered(partial(_make, folder, rate), wanted, jobs or 2, files=[folder])
        for _ in tqdm(made, "simulated sites", len(wanted), disable=None):
            pass
    return _described(
        Recording(_path(folder, number), "NoLeak", f"made/{number}.wav", f"made-{number}") for number in numbers
    )


def given(sounds: Sequence[Path], folder: Path, rate: int, spec: SpectrogramSpec, cache: Path) -> list[Recording]:
    """Return a window of each of these sounds below a folder, limited as recordings at this sample rate are."""
    if len(sounds) > GIVEN:
        chosen = np.random.default_rng(0).permutation(len(sounds))[:GIVEN]
        sounds = [sounds[number] for number in np.sort(chosen)]
    found = []
    for sound in tqdm(sounds, "given sounds", disable=None if sounds else True):
        facts = json.dumps([hashlib.sha256(sound.read_bytes()).hexdigest(), rate, spec.to_json(), "mix"])
        path = cache / "given" / f"{hashlib.sha256(facts.encode()).hexdigest()[:24]}.wav"
        if not path.is_file():
            whole = read_wav(sound, spec, channel="mix")
            length = round(WINDOW_S * spec.sample_rate)
            _write(path, augmentation.loop(whole, length, 0, round(0.05 * spec.sample_rate)), spec.sample_rate, rate)
        name = f"given/{sound.relative_to(folder)}"
        found.append(Recording(path, "NoLeak", name, f"given-{augmentation.source(sound)}"))
    return _described(found)


def _code() -> str:
    """Return a digest of the simulator."""
    sources = sorted(Path(simulator.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _described(found: Iterable[Recording]) -> list[Recording]:
    good, _ = dataset.fingerprint(found)
    return list(good)


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number}.wav"


def _make(folder: Path, rate: int, number: int) -> None:
    _write(_path(folder, number), clip(Site.draw(number), "NoLeak", 0), RATE, rate)


def _write(path: Path, sound: Samples, rate: int, wanted: int) -> None:
    if wanted != rate:
        sound = Resampler(rate, wanted).push(sound, last=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as part, part.open("wb") as file:
        soundfile.write(file, np.clip(sound, -1, 1), wanted, "PCM_16", format="WAV")
