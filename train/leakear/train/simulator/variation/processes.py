"""Random processes that can be evaluated at any time without the times before: drifts, lasting changes, days of use.

Each is a function of a seed and of time alone, so two days in a row are one continuous history.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Series: TypeAlias = npt.NDArray[np.float64]
"""One value a moment, shape (n,), or a row a moment, shape (n, columns)."""
_STEPS = 2
"""Knots in one time constant."""
_TAPS = 6 * _STEPS
"""Knots that still count: the rest weighs less than 0.3 %."""
_DECAY = np.exp(-np.arange(_TAPS, dtype=np.float64) / _STEPS)
_WEIGHTS = (_DECAY / np.sqrt(np.sum(_DECAY**2)))[::-1]
_BLOCK = 128
"""Knots, or days, that are drawn together."""


def drift(
    seed: tuple[int, ...], times: Series, time_constant: float, *, columns: int = 1, tails: float = 5.0
) -> Series:
    """Return a process of mean 0, standard deviation 1 and exponential correlation, shape (n, columns).

    `times` and `time_constant` are in days. `tails`: degrees of freedom of Student's t, from which its steps are drawn;
    few are rare but large steps.
    """
    places = np.asarray(times, np.float64) * _STEPS / time_constant
    first, last = int(np.floor(places.min())), int(np.floor(places.max())) + 1
    steps = _steps(seed, first - _TAPS + 1, last + 1, columns, tails)
    windows = np.lib.stride_tricks.sliding_window_view(steps, _TAPS, axis=0)
    knots = windows @ _WEIGHTS
    below = np.floor(places).astype(np.int64) - first
    part = (places - np.floor(places))[:, None]
    return np.asarray((1 - part) * knots[below] + part * knots[below + 1], np.float64)


def _steps(seed: tuple[int, ...], first: int, end: int, columns: int, tails: float) -> Series:
    """Draw the steps at knots `first` to `end` − 1, shape (end − first, columns)."""
    blocks = [_block(seed, number, columns, tails) for number in range(first // _BLOCK, (end - 1) // _BLOCK + 1)]
    start = first // _BLOCK * _BLOCK
    return np.concatenate(blocks)[first - start : end - start]


@lru_cache(maxsize=512)
def _block(seed: tuple[int, ...], number: int, columns: int, tails: float) -> Series:
    rng = np.random.default_rng([*seed, number + 1_000_000])
    return np.asarray(rng.standard_t(tails, (_BLOCK, columns)) / np.sqrt(tails / (tails - 2)))


def last_change(seed: tuple[int, ...], date: int, per_day: float) -> int:
    """Return the day of the last lasting change up to `date`; 0 when nothing changed since the installation."""
    changed = [
        number * _BLOCK + day
        for number in range(date // _BLOCK + 1)
        for day in np.flatnonzero(_uniform(seed, number) < per_day).tolist()
    ]
    return max((day for day in changed if day <= date), default=0)


@lru_cache(maxsize=512)
def _uniform(seed: tuple[int, ...], number: int) -> Series:
    return np.asarray(np.random.default_rng([*seed, number]).random(_BLOCK))


def runs_on(seed: tuple[int, ...], date: int, share: float, together: float) -> bool:
    """Tell whether something runs on a day: on a `share` of all days, `together` of them in a row on average.

    The history begins anew every 1024 days.
    """
    return bool(_days(seed, date // 1024, share, together)[date % 1024])


@lru_cache(maxsize=256)
def _days(seed: tuple[int, ...], number: int, share: float, together: float) -> npt.NDArray[np.bool_]:
    draws = np.random.default_rng([*seed, number]).random(1024)
    stop = 1 / max(together, 1.0)
    start = min(1.0, stop * share / max(1 - share, 1e-9))
    running = [bool(draws[0] < share)]
    for draw in draws[1:].tolist():
        running.append(draw >= stop if running[-1] else draw < start)
    return np.array(running)
