"""The calibration set of a quantised network: the windows on which its integer ranges are measured.

With windows of one class only, the logit's range ended at zero and the network decided the same for every sound. So the
set has equally many windows of each class, and of each site within a class. Half of them are altered as a microphone's
circumstances would do, computed on the spectrogram: quiet, loud, with clicks, clipped, with mains hum.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakear.convert.quantising.quantise import Codes
from leakear.edge.errors import InputDataError
from leakear.edge.spec import OWN_HEADROOM_DB, SpectrogramSpec

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
        """Return the JSON object of the model file."""
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
    """Choose `count` windows, half of each class, from the sites in turn; every other one is altered.

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
    """Raise InputDataError unless both classes are present. `labels`: shape (n,), 1 = Leak."""
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
    """Draw `count` windows from the sites in turn; the windows of a small site are used again."""
    by_site: dict[str, list[int]] = defaultdict(list)
    for i in rng.permutation(candidates):
        by_site[sites[i]].append(int(i))
    queues = [by_site[site] for site in sorted(by_site)]
    turns = range(-(-count // len(queues)))
    drawn = [queue[turn % len(queue)] for turn in turns for queue in queues]
    return np.asarray(drawn[:count], np.intp)


def alter(codes: NDArray[np.uint8], kind: str, spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return one window, shape (rows, frames), altered by a circumstance in the power domain of its spectrogram."""
    if kind == "as heard":
        return codes.copy()
    decibels = codes.astype(np.float64) * (-spec.floor / 255) + spec.floor
    return as_codes(_ALTERATIONS[kind](decibels, spec, rng), spec)


def as_codes(decibels: NDArray[np.floating[Any]], spec: SpectrogramSpec) -> NDArray[np.uint8]:
    """Apply the spec's reference to dB, shape (rows, frames), and encode them as codes."""
    peak = float(decibels.max())
    if spec.reference == "max" and peak > spec.floor:
        decibels = decibels - peak
    if spec.reference == "own" and peak > spec.floor:
        decibels = decibels - (decibels.mean() + OWN_HEADROOM_DB)
    clipped = np.clip(decibels, spec.floor, 0)
    codes: NDArray[np.uint8] = np.rint((clipped - spec.floor) * (-255 / spec.floor)).astype(np.uint8)
    return codes


def _quiet(db: NDArray[np.float64], spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Lower by 20 to 40 dB; the floor of the spectrogram stays."""
    del spec
    return db - rng.uniform(20, 40)


def _loud(db: NDArray[np.float64], spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Raise so that the strongest cell is 0 to 6 dB under full scale."""
    del spec
    return db - db.max() - rng.uniform(0, 6)


def _clicked(db: NDArray[np.float64], spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Add one to five clicks: flat over frequency, one transform long, −70 to −20 dB per bin."""
    clicks = np.full_like(db, spec.floor)
    reach = -(-spec.n_fft // spec.hop_length)
    for start in rng.integers(0, db.shape[1], rng.integers(1, 6)):
        clicks[:, start : start + reach] = rng.uniform(-70, -20)
    return _power_sum(db, clicks)


def _clipped(db: NDArray[np.float64], spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Raise above full scale, with a distortion floor 20 to 35 dB under the strongest cell of each frame."""
    loud = np.minimum(_loud(db, spec, rng) + 10, 0)
    return _power_sum(loud, np.broadcast_to(loud.max(axis=0) - rng.uniform(20, 35), loud.shape))


def _hum(db: NDArray[np.float64], spec: SpectrogramSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """Add mains hum at −9 dBFS with falling harmonics; three rows wide, like a tone under a Hann window."""
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
