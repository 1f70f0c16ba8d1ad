"""Calibration: from hours without a leak, as a person states, to a threshold that keeps a false-alarm budget.

An alarm needs `on_fraction` of the windows of `span_s` to be on. Then at least half of the five-minute blocks within
that span are on for a certain share, and so is their median. So the chance of a false alarm is at most that of a median
of neighbouring blocks above the threshold; a use of water that is shorter than half a span moves no median. The upper
tail of the medians is extrapolated as exponential (peaks over a threshold; Pickands 1975, Balkema and de Haan 1974,
shape 0) to the wished rate, at the upper end of the 90 % interval of its scale, in which neighbours that share blocks
count as one. The threshold may be lower or higher than that of the model. Hours that sound like a leak are refused.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from leakear.edge.errors import LeakearError
from leakear.edge.model.tflite import sigmoid

BLOCK_S = 300.0
"""Seconds of one block."""
MIN_BLOCKS = 48
"""Blocks needed: four hours."""
_TAIL = 0.8
"""Quantile of the medians above which the tail begins."""
_CONFIDENCE = 0.9
"""Confidence of the stated bound."""
_HEAVY = 1.6
"""Coefficient of variation of the excesses (1 for an exponential tail) from which the tail is too heavy."""
_MAX_FAULTY = 0.25
"""Share of the windows that may have been unusable."""
_LOWEST = 0.5
"""Share of the model's own threshold below which none is proposed: one night does not show everything."""
_GATE_QUANTILE = 0.95


class CalibrationRefused(LeakearError, ValueError):  # noqa: N818  it is an answer, not a failure
    """These hours cannot be used; the message states why and what to do."""

    exit_code = 65


@dataclass(slots=True)
class Baseline:
    """Scores and levels of quiet hours, one entry for each window with a score."""

    window_s: float
    """Seconds from one window to the next"""
    logits: list[float] = field(default_factory=list)
    """log-odds of P(leak)"""
    levels: list[float] = field(default_factory=list)
    """dBmin of the window, dBFS"""
    unusable: int = 0
    """windows without a score: they had a fault or were lost"""

    def add(self, score: float | None, dbmin: float | None) -> None:
        """Take a window's P(leak) and dBmin; None for a window with a fault or without a score."""
        if score is None or dbmin is None:
            self.unusable += 1
            return
        bounded = min(max(score, 1e-9), 1 - 1e-9)
        self.logits.append(math.log(bounded / (1 - bounded)))
        self.levels.append(dbmin)

    @property
    def heard_s(self) -> float:
        """Seconds of sound used."""
        return len(self.logits) * self.window_s


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to write into [decision], and the reason."""

    threshold: float
    """P(leak) from which a window counts as on"""
    level_gate_dbfs: float | None
    """dBmin below which a window counts as off; None: none is proposed"""
    false_alarms_per_week: float
    """the budget it was chosen for"""
    hours: float
    """hours of sound used"""
    quiet_score: float
    """median P(leak) of those hours"""
    quiet_level_dbfs: float
    """median dBmin of those hours"""
    reason: str
    """one sentence for people that contains the confidence"""


def propose(
    baseline: Baseline,
    *,
    on_fraction: float,
    span_s: float,
    model_threshold: float,
    gated: bool = False,
    false_alarms_per_week: float = 1.0,
    accept_leak_like: bool = False,
) -> Proposal:
    """Choose a threshold. Raises CalibrationRefused.

    `gated`: also choose a level gate, for a model whose score depends on the level. `accept_leak_like`: a person has
    made sure that the steady sound heard here is no leak.
    """
    logits, levels = np.array(baseline.logits), np.array(baseline.levels)
    _refuse_too_little(baseline)
    if not accept_leak_like:
        _refuse_leak_like(logits, model_threshold)
    if gated:
        _refuse_unstable(levels)
    count, share = _blocks_of(span_s, on_fraction)
    medians = _medians(_blocks(logits, baseline.window_s, share), count)
    spans_per_week = 7 * 86400 / (count * BLOCK_S)
    tail, bound = _tail_level(medians, count, false_alarms_per_week / spans_per_week)
    lowest = _LOWEST * model_threshold
    kept = ", no lower" if sigmoid(bound) < lowest else ""
    return Proposal(
        threshold=round(min(max(sigmoid(bound), lowest), 0.9999), 4),
        level_gate_dbfs=round(float(np.quantile(levels, _GATE_QUANTILE)), 1) if gated else None,
        false_alarms_per_week=false_alarms_per_week,
        hours=round(baseline.heard_s / 3600, 2),
        quiet_score=round(sigmoid(float(np.median(logits))), 4),
        quiet_level_dbfs=round(float(np.median(levels)), 1),
        reason=(
            f"{len(medians)} medians of {count} blocks of {BLOCK_S:g} s, {tail} in the tail: at most "
            f"{false_alarms_per_week:g} false alarms a week with {_CONFIDENCE:.0%} confidence, if the coming weeks "
            f"sound like these hours (the model's own threshold is {model_threshold:.2f}{kept})"
        ),
    )


def _refuse_too_little(baseline: Baseline) -> None:
    needed, windows = MIN_BLOCKS * BLOCK_S, baseline.unusable + len(baseline.logits)
    if windows * baseline.window_s < needed:
        raise CalibrationRefused(
            f"only {baseline.heard_s / 3600:.1f} quiet hours were heard: it takes {needed / 3600:g}, better a night"
        )
    share = baseline.unusable / windows
    if share > _MAX_FAULTY:
        raise CalibrationRefused(
            f"{share:.0%} of the windows could not be judged: look at the sensor with `leakear-edge check` first"
        )


def _refuse_leak_like(logits: NDArray[np.float64], model_threshold: float) -> None:
    """Refuse hours of which a third sounds like a leak: it may have begun while they were heard."""
    third = len(logits) // 3
    parts = (logits[:third], logits[third : 2 * third], logits[2 * third :])
    if max(float(np.median(part)) for part in parts) >= _logit(model_threshold):
        raise CalibrationRefused(
            "these hours, or a third of them, sound like a leak already: have the pipe inspected; when it is dry and "
            "the sound is known, calibrate again with --accept-leak-like"
        )


def _refuse_unstable(levels: NDArray[np.float64]) -> None:
    """Refuse levels that vary too much for a level gate (AquaPing's rule: twice the deviation above the mean)."""
    amplitude = 10 ** (levels / 20)
    if 2 * amplitude.std() > amplitude.mean():
        raise CalibrationRefused(
            "the background is unstable (twice the deviation of its level exceeds its mean): choose quieter hours"
        )


def _blocks_of(span_s: float, on_fraction: float) -> tuple[int, float]:
    """Return how many whole blocks lie within any span, and the share of on windows that half of them must have."""
    count = int(span_s // BLOCK_S) - 1
    if count < 2:
        return 1, on_fraction
    within = (on_fraction * span_s - (span_s - count * BLOCK_S)) / (count * BLOCK_S)
    return count, max(0.0, 2 * within - 1)


def _blocks(logits: NDArray[np.float64], window_s: float, share: float) -> NDArray[np.float64]:
    """For each block the score that this share of its windows reach, shape (blocks,)."""
    length = max(1, round(BLOCK_S / window_s))
    whole = logits[: len(logits) // length * length].reshape(-1, length)
    return np.quantile(whole, 1 - share, axis=1)


def _medians(blocks: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the score that at least half of each `count` neighbouring blocks reach, shape (blocks - count + 1,)."""
    neighbours = np.lib.stride_tricks.sliding_window_view(blocks, count)
    return np.sort(neighbours, axis=1)[:, count // 2]


def _tail_level(medians: NDArray[np.float64], count: int, chance: float) -> tuple[int, float]:
    """Return the number of values in the tail and the level that a span exceeds with this chance, upper bound.

    `count`: neighbouring values that share blocks, and count as one.
    """
    start = float(np.quantile(medians, _TAIL))
    excess = medians[medians > start] - start
    if len(excess) == 0:
        return 0, start
    mean = float(excess.mean())
    if float(excess.std()) > _HEAVY * mean:
        raise CalibrationRefused(
            "for a part of these hours the score was far above the rest: choose hours in which nothing runs for long"
        )
    n = max(1, len(excess) // count)
    share = len(excess) / len(medians)
    return len(excess), start + n * mean / gamma_tenth(n) * max(0.0, math.log(share / chance))


def gamma_tenth(n: int) -> float:
    """Return the 10th percentile of the gamma distribution with the whole shape `n` ≥ 1 and scale 1.

    It is half of the 10th percentile of the chi-square distribution with 2 n degrees of freedom. Starts at the
    approximation of Wilson and Hilferty (1931), which is 7 % off at n = 1, and takes Newton steps on the exact
    distribution function. `scipy.special` would cost the daemon 20 MB.
    """
    spread = 1 / (9 * n)
    x = n * float((1 - spread - 1.2815516 * math.sqrt(spread)) ** 3)
    for _ in range(4):
        logarithms = [k * math.log(x) - x - math.lgamma(k + 1) for k in range(n)]
        below = 1 - math.fsum(map(math.exp, logarithms))
        x -= (below - (1 - _CONFIDENCE)) / math.exp(logarithms[-1])
    return x


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))
