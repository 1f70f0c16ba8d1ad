"""The representative set of a quantised network: what its integer ranges are measured on.

Measured: a set of Leak windows alone gave a logit whose range ended at zero, so that no leak could ever fire. Hence as
many windows of each class, of each site within a class, and half of them put into the circumstances a microphone
meets, computed on the spectrogram itself: quiet, loud, clicked, clipped, under mains hum.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakear.convert.quantise import Codes
from leakear.edge.errors import InputDataError
from leakear.edge.spec import SpectrogramSpec

CIRCUMSTANCES = ("quiet", "loud", "clicked", "clipped", "hum")


@dataclass(frozen=True)
class Calibration:
    """The windows that were chosen."""

    codes: Codes
    """shape (n, rows, frames)"""
    labels: NDArray[np.uint8]
    """shape (n,); 1 = Leak"""
    sites: tuple[str, ...]
    circumstances: tuple[str, ...]
    """of each window: "as heard", "silence" or one of CIRCUMSTANCES"""
    seed: int

    @property
    def digest(self) -> str:
        """SHA-256 of windows and labels."""
        return hashlib.sha256(self.codes.tobytes() + self.labels.tobytes()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As it stands in the model file."""
        kinds = {kind: self.circumstances.count(kind) for kind in ("as heard", "silence", *CIRCUMSTANCES)}
        return {
            "sha256": self.digest,
            "seed": self.seed,
            "windows": {"NoLeak": int((self.labels == 0).sum()), "Leak": int((self.labels == 1).sum())},
            "sites": len(set(self.sites)),
            "circumstances": {kind: count for kind, count in kinds.items() if count},
        }


def choose(
    codes: Codes, labels: NDArray[np.uint8], sites: Sequence[str], spec: SpectrogramSpec, *, count: int, seed: int
) -> Calibration:
    """Choose `count` windows, half of each class, sites in turn, every other one put into a circumstance.

    `codes`: shape (n, rows, frames). Raises InputDataError when a class is missing.
    """
    check_classes(labels)
    rng = np.random.default_rng(seed)
    per_class = max(1, count // 2)
    chosen = np.concatenate([_in_turn(np.flatnonzero(labels == label), sites, per_class, rng) for label in (0, 1)])
    chosen = chosen.reshape(2, per_class).T.reshape(-1)  # NoLeak, Leak, NoLeak, …
    kinds = [_circumstance(turn // 2) for turn in range(len(chosen))]
    windows = np.stack([alter(codes[i], kind, spec, rng) for i, kind in zip(chosen, kinds, strict=True)])
    windows[0], kinds[0] = 0, "silence"
    windows[0].flat[-1] = 255  # with silence, one cell at either end: an input step of exactly 1/255
    return Calibration(windows, labels[chosen], tuple(sites[i] for i in chosen), tuple(kinds), seed)


def check_classes(labels: NDArray[np.uint8]) -> None:
    """Raise InputDataError unless both classes are there."""
    for label, name in enumerate(("NoLeak", "Leak")):
        if not (labels == label).any():
            raise InputDataError(
                f"the calibration set holds no {name} window: its logit would saturate and decide alike for every "
                "sound; give windows of both classes"
            )


def _circumstance(turn: int) -> str:
    return "as heard" if turn % 2 == 0 else CIRCUMSTANCES[turn // 2 % len(CIRCUMSTANCES)]


def _in_turn(
    candidates: NDArray[np.intp], sites: Sequence[str], count: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw `count` windows, one site after the other; a site that runs out begins again."""
    by_site: dict[str, list[int]] = defaultdict(list)
    for i in rng.permutation(candidates):
        by_site[sites[i]].append(int(i))
    queues = [by_site[site] for site in sorted(by_site)]
    turns = range(-(-count // len(queues)))
    drawn = [queue[turn % len(queue)] for turn in turns for queue in queues]
    return np.asarray(drawn[:count], np.intp)


def alter(codes: NDArray[np.uint8], kind: str, spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Put one window, shape (rows, frames), into a circumstance, in the power domain of its spectrogram."""
    if kind == "as heard":
        return codes.copy()
    decibels = codes.astype(np.float64) * (-spec.floor / 255) + spec.floor
    return as_codes(_ALTERATIONS[kind](decibels, spec, rng), spec)


def as_codes(decibels: NDArray[np.floating[Any]], spec: SpectrogramSpec) -> NDArray[np.uint8]:
    """Refer dB again to the spec's reference and write them as codes."""
    peak = float(decibels.max())
    if spec.reference == "max" and peak > spec.floor:
        decibels = decibels - peak
    clipped = np.clip(decibels, spec.floor, 0)
    codes: NDArray[np.uint8] = np.rint((clipped - spec.floor) * (-255 / spec.floor)).astype(np.uint8)
    return codes


def _quiet(db: NDArray[np.float64], spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Take 20 to 40 dB off; the floor of the spectrogram stays."""
    del spec
    return db - rng.uniform(20, 40)


def _loud(db: NDArray[np.float64], spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Raise until the strongest cell lies within 6 dB of full scale."""
    del spec
    return db - db.max() - rng.uniform(0, 6)


def _clicked(db: NDArray[np.float64], spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Add one to five clicks: flat over frequency, as many frames as the transform overlaps, −70 to −20 dB a bin."""
    clicks = np.full_like(db, spec.floor)
    reach = -(-spec.n_fft // spec.hop_length)
    for start in rng.integers(0, db.shape[1], rng.integers(1, 6)):
        clicks[:, start : start + reach] = rng.uniform(-70, -20)
    return _power_sum(db, clicks)


def _clipped(db: NDArray[np.float64], spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Make it as loud as can be, with a distortion floor 20 to 35 dB under the strongest cell of each frame."""
    loud = np.minimum(_loud(db, spec, rng) + 10, 0)
    return _power_sum(loud, np.broadcast_to(loud.max(axis=0) - rng.uniform(20, 35), loud.shape))


def _hum(db: NDArray[np.float64], spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Add mains hum at −9 dBFS with falling harmonics; three rows wide, as a Hann window shows a tone."""
    tones = np.full_like(db, spec.floor)
    mains = rng.choice([50, 60])
    for harmonic in range(1, 9):
        row = int(np.argmin(np.abs(spec.frequencies - mains * harmonic)))
        tones[max(0, row - 1) : row + 2] = -9 - 4 * (harmonic - 1) + rng.uniform(-3, 3)
    return _power_sum(db, tones)


def _power_sum(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of two uncorrelated sounds given in dB."""
    return 10 * np.log10(10 ** (a / 10) + 10 ** (b / 10))


_ALTERATIONS: Mapping[str, Callable[..., NDArray[np.float64]]] = {
    "quiet": _quiet,
    "loud": _loud,
    "clicked": _clicked,
    "clipped": _clipped,
    "hum": _hum,
}
