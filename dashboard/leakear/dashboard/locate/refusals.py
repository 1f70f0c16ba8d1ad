"""Reasons for giving no position, each one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from leakear.dashboard.locate.pipes import Pipe

if TYPE_CHECKING:
    from leakear.dashboard.locate.sources import Source
    from leakear.dashboard.locate.spectra import Recording

Reason = Literal["silent", "clock", "short", "coherence", "ambiguous", "outside", "end", "middle", "pump"]
_SILENT = 1e-6
"""Standard deviation, re full scale, below which nothing was recorded."""
_LOOSE = 0.4
"""Share of the pipe that the clocks alone may leave open."""
_AMBIGUOUS = 1 / 3
"""Share of the pipe that the 95 % interval covers at most."""


@dataclass(frozen=True)
class Refusal:
    """Why there is no position."""

    reason: Reason
    text: str
    """one sentence"""


def silent(recordings: Sequence[Recording]) -> Refusal | None:
    """Refuse a recording without sound."""
    for one in recordings:
        for name, samples in (("A", one.a), ("B", one.b)):
            if np.std(samples) < _SILENT:
                return Refusal("silent", f"The recording at {name} is silent: check its sensor and gain.")
    return None


def too_loose(recordings: Sequence[Recording], pipe: Pipe) -> Refusal | None:
    """Refuse clocks that leave a large share of the pipe open whatever is heard."""
    bound = min(one.clock.offset_bound for one in recordings) / np.sqrt(len(recordings))
    metres = bound * pipe.speed.middle
    if metres <= _LOOSE * pipe.length:
        return None
    return Refusal(
        "clock",
        f"The clocks are too loose: ±{1000 * bound:.3g} ms is a stretch of {metres:.0f} m of this pipe of "
        f"{pipe.length:.0f} m; set the recorders' clocks by NTP or GPS, or use one stereo recorder.",
    )


def too_short(seconds: float, pipe: Pipe) -> Refusal:
    """Refuse recordings that are short beside the pipe's delay."""
    return Refusal(
        "short",
        f"The recordings are too short: {seconds:.1f} s, while sound takes up to {pipe.longest_delay:.2f} s from end "
        "to end of this pipe; record longer, or place the sensors closer together.",
    )


def outside(delay: float, pipe: Pipe) -> Refusal:
    """Refuse a delay, s, that is longer than the pipe."""
    return Refusal(
        "outside",
        f"The strongest sound has a delay of {1000 * abs(delay):.1f} ms, and this pipe can cause "
        f"{1000 * pipe.longest_delay:.1f} ms at most: check --length, --speed, --offset and the clocks.",
    )


def refusal_of(source: Source, required: float, pipe: Pipe) -> Refusal | None:
    """Return why this strongest source is given no position; None if it is."""
    if source.score < required:
        return Refusal(
            "coherence",
            f"The two recordings have too little in common (peak {source.score:.1f}, needed {required:.1f} standard "
            "deviations): record longer, at night, or with the sensors closer together.",
        )
    if source.kind in ("end_a", "end_b"):
        name = source.kind[-1].upper()
        return Refusal(
            "end", f"The sound comes from sensor {name} or beyond it: look for a machine, tap or leak on that side."
        )
    if source.kind == "middle":
        return Refusal(
            "middle",
            "The sound reaches both recorders in the same instant, as electrical noise does: record with separate "
            "devices, or move one sensor and record again.",
        )
    if source.kind == "pump":
        return Refusal("pump", "The strongest sound comes from the known pump: record again while it is off.")
    low, high = source.position.most
    if high - low > _AMBIGUOUS * pipe.length:
        return Refusal(
            "ambiguous",
            f"The peak is ambiguous: the source may be anywhere from {low:.0f} to {high:.0f} m from A; give a narrower "
            "--speed, better clocks, or record again.",
        )
    return None
