"""`leakear-train gain`: how far a sensor's gain changes the verdict of a model file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.audio.resample import Resampler
from leakear.edge.command_line import whole
from leakear.edge.errors import InputDataError
from leakear.edge.model.tflite import FACTORY, Model
from leakear.edge.spec import Samples, SpectrogramSpec
from leakear.edge.spectrogram import spectrogram
from leakear.edge.texts import printable
from leakear.train import data_options
from leakear.train.data import clips
from leakear.train.nodedays.outcome import share_interval
from leakear.train.simulator import RATE, Label, Site, clip

HELP = """\
Score recordings and simulated windows at several gains of the sensor and print how far P(leak) moves.

  leakear-train gain recordings/ --model model.tflite
  leakear-train gain recordings/ --simulated 0 --gain -40 --gain 20

At each gain the window gets the noise of a 16-bit converter and its steps. A window that would clip at a gain is left
out there, and counted. Intervals take windows as independent; windows of one recording are not quite.
"""
GAINS_DB = (-30.0, -20.0, -10.0, 6.0, 12.0)
"""Gains that are compared with 0 dB."""
NOISE_DBFS = -92.0
"""Noise of a 16-bit converter, dB re a full-scale sine."""
DRAWS = 2000
"""Draws of windows for an interval."""
FIRST_SITE = 970_000
"""Simulated sites from here on; no other command uses these."""


@dataclass(frozen=True)
class Moved:
    """What a gain changed."""

    gain_db: float
    windows: int
    """Windows compared."""
    clipped: int
    """Windows left out because they would clip."""
    median: float
    """Median of the change of P(leak)."""
    p95: float
    """95th percentile of it."""
    worst: float
    alike: float
    """Share of windows with the same decision at the model's threshold."""
    p95_interval: tuple[float, float]
    """95 % interval of p95, from draws of windows, each with all its gains."""
    alike_interval: tuple[float, float]
    """Exact 95 % interval of the share; over all gains that of the windows which are alike at every one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("data", type=Path, help="class folders, or a folder with manifest.csv")
    data_options.add_arguments(parser)
    parser.add_argument("--model", type=Path, default=FACTORY, help="model file (default: the factory model)")
    parser.add_argument("--simulated", type=whole(0), default=200, help="simulated windows beside them (200)")
    parser.add_argument("--gain", type=float, action="append", metavar="DB", help="repeat for several (-30 to 12)")
    parser.add_argument("--json", type=Path, help="write everything here as well")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.json:
        files.file(args.json, "--json")
    model = Model.load(args.model)
    gains = tuple(args.gain or GAINS_DB)
    found = list(_windows(args, model.info.spec))
    if not found:
        raise InputDataError(
            f"{printable(args.data)} holds no recording that can be read with --channel {args.channel}"
        )
    moved = compare(model, found, gains)
    print(text(moved))
    if args.json:
        files.write(args.json, (json.dumps([asdict(part) for part in moved], indent=1) + "\n").encode())
    return 0


def compare(model: Model, found: Sequence[Samples], gains: Sequence[float]) -> list[Moved]:
    """Score each window at 0 dB and at every gain; the last entry is all gains together."""
    plain = scores(model, found, 0.0)
    changed = np.array([scores(model, found, gain) for gain in gains])
    threshold = model.info.threshold
    every = [_moved(gain, plain, row[None], threshold) for gain, row in zip(gains, changed, strict=True)]
    return [*every, _moved(float("nan"), plain, changed, threshold)]


def scores(model: Model, found: Sequence[Samples], gain_db: float) -> npt.NDArray[np.float64]:
    """Return P(leak) of windows, each of shape (window_samples,), at a gain; NaN where it would clip."""
    factor = np.float32(10 ** (gain_db / 20))
    made = []
    for number, sound in enumerate(tqdm(found, f"{gain_db:+g} dB", unit="window", disable=None)):
        clipped = gain_db != 0 and float(np.abs(sound).max()) * factor > 1
        heard = converted(sound * factor, np.random.default_rng([number, round(gain_db * 100) & 0xFFFF]))
        made.append(np.nan if clipped else model.score(spectrogram(heard, model.info.spec)))
    return np.array(made)


def converted(sound: Samples, rng: np.random.Generator) -> Samples:
    """Return sound as a 16-bit converter gives it, with its noise."""
    noise = np.float32(10 ** (NOISE_DBFS / 20) / np.sqrt(2)) * rng.standard_normal(len(sound), dtype=np.float32)
    steps = np.clip(np.round((sound + noise) * 32768), -32768, 32767)
    return np.asarray(steps / 32768, np.float32)


def _moved(gain_db: float, plain: npt.NDArray[np.float64], changed: npt.NDArray[np.float64], threshold: float) -> Moved:
    """Compare scores at 0 dB, (windows,), with those at some gains, (gains, windows)."""
    moved = np.abs(changed - plain)
    heard = np.isfinite(moved)
    if not heard.any():
        raise InputDataError(f"every window clips at {gain_db:+g} dB: give a lower --gain")
    alike = (changed >= threshold) == (plain >= threshold)
    compared = heard.any(axis=0)
    change = moved[heard]
    return Moved(
        gain_db,
        int(heard.sum()),
        int((~heard).sum()),
        float(np.median(change)),
        float(np.percentile(change, 95)),
        float(change.max()),
        float(alike[heard].mean()),
        _p95_interval(moved[:, compared]),
        share_interval(int((alike | ~heard).all(axis=0)[compared].sum()), int(compared.sum())),
    )


def _p95_interval(moved: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of the 95th percentile of changes, (gains, windows), from draws of windows."""
    rng, count = np.random.default_rng(0), moved.shape[1]
    found = [np.nanpercentile(moved[:, rng.integers(0, count, count)], 95) for _ in range(DRAWS)]
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)


def _windows(args: argparse.Namespace, spec: SpectrogramSpec) -> Iterator[Samples]:
    recordings = data_options.listed(args).openable()
    for recording, heard in tqdm(recordings, "reading", unit="file", disable=None):
        try:
            found = [sound for channel in heard for sound in clips.windows(recording.path, spec, channel)]
        except InputDataError as error:
            print(f"left out: {error}")
        else:
            yield from found
    for number in tqdm(range(args.simulated), "simulating", unit="window", disable=None):
        label: Label = "Leak" if number % 2 else "NoLeak"
        sound = clip(
            Site.draw(FIRST_SITE + number), label, number, spec.window_seconds + 0.1
        )  # resampled, it may be shorter
        yield Resampler(RATE, spec.sample_rate).push(sound, last=True)[: spec.window_samples]


def text(moved: Sequence[Moved]) -> str:
    """Write the report for people."""
    lines = ["| gain, dB | windows | left out, clipping | median change | 95th percentile | worst | decisions alike |"]
    lines.append("|---|---|---|---|---|---|---|")
    for part in moved:
        name = "all" if np.isnan(part.gain_db) else f"{part.gain_db:+g}"
        (low, high), (least, most) = part.p95_interval, part.alike_interval
        alike = f"{part.alike:.2%} ({least:.2%} to {most:.2%})"
        numbers = f"{part.median:.3f} | {part.p95:.3f} ({low:.3f} to {high:.3f}) | {part.worst:.3f} | {alike}"
        lines.append(f"| {name} | {part.windows} | {part.clipped} | {numbers} |")
    return "\n".join(lines)
