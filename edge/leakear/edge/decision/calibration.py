"""Calibration: from hours without a leak, as a person states, to a threshold that keeps a false-alarm budget.

An alarm needs `on_fraction` of the windows of a long span to be on. If that holds for a span, it holds for at least
one of its five-minute blocks; so the chance of a false alarm is at most that of a block whose score stays above the
threshold for that fraction. The upper tail of those block values is extrapolated as exponential (peaks over a
threshold; Pickands 1975, Balkema and de Haan 1974, shape 0) to the wished rate, at the upper end of the 90 % interval
of its scale. Hours that do not allow this are refused, and so are hours that sound like a leak themselves.
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
_BLOCKS_PER_WEEK = 7 * 86400 / BLOCK_S
_TAIL = 0.8
"""Quantile of the block values above which the tail begins."""
_CONFIDENCE = 0.9
"""Confidence of the stated bound."""
_HEAVY = 1.6
"""Coefficient of variation of the excesses (1 for an exponential tail) from which the tail is too heavy."""
_MAX_FAULTY = 0.05
"""Share of the windows that may have been unusable."""
_MAX_TREND = 3.0
"""Distance of the first and the last third's median score, in standard deviations, that is a drift."""
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
    level_gate_dbfs: float
    """dBmin below which a window counts as off"""
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
    model_threshold: float,
    false_alarms_per_week: float = 1.0,
    accept_leak_like: bool = False,
) -> Proposal:
    """Choose threshold and level gate. Raises CalibrationRefused.

    `accept_leak_like`: a person has made sure that the steady sound heard here is no leak.
    """
    logits, levels = np.array(baseline.logits), np.array(baseline.levels)
    _refuse_too_little(baseline)
    if not accept_leak_like and np.median(logits) >= _logit(model_threshold):
        raise CalibrationRefused(
            "these hours sound like a leak already: have the pipe inspected; when it is dry and the sound is known, "
            "calibrate again with --accept-leak-like"
        )
    _refuse_unstable(logits, levels)
    blocks = _blocks(logits, baseline.window_s, on_fraction)
    tail, bound = _tail_level(blocks, false_alarms_per_week / _BLOCKS_PER_WEEK)
    chosen = max(sigmoid(bound), model_threshold)
    kept = " (raised to the model's own threshold)" if chosen > sigmoid(bound) else ""
    return Proposal(
        threshold=round(min(chosen, 0.9999), 4),
        level_gate_dbfs=round(float(np.quantile(levels, _GATE_QUANTILE)), 1),
        false_alarms_per_week=false_alarms_per_week,
        hours=round(baseline.heard_s / 3600, 2),
        quiet_score=round(sigmoid(float(np.median(logits))), 4),
        quiet_level_dbfs=round(float(np.median(levels)), 1),
        reason=(
            f"{len(blocks)} blocks of {BLOCK_S:g} s, {tail} in the tail: at most {false_alarms_per_week:g} false "
            f"alarms a week with {_CONFIDENCE:.0%} confidence, if the coming weeks sound like these hours{kept}"
        ),
    )


def _refuse_too_little(baseline: Baseline) -> None:
    needed = MIN_BLOCKS * BLOCK_S
    if baseline.heard_s < needed:
        raise CalibrationRefused(
            f"only {baseline.heard_s / 3600:.1f} quiet hours were heard: it takes {needed / 3600:g}, better a night"
        )
    share = baseline.unusable / (baseline.unusable + len(baseline.logits))
    if share > _MAX_FAULTY:
        raise CalibrationRefused(
            f"{share:.0%} of the windows could not be judged: look at the sensor with `leakear-edge check` first"
        )


def _refuse_unstable(logits: NDArray[np.float64], levels: NDArray[np.float64]) -> None:
    """Refuse a background that varies too much (AquaPing's rule: twice its deviation above its mean) or drifts."""
    amplitude = 10 ** (levels / 20)
    if 2 * amplitude.std() > amplitude.mean():
        raise CalibrationRefused(
            "the background is unstable (twice the deviation of its level exceeds its mean): choose quieter hours"
        )
    third = len(logits) // 3
    first, last = np.median(logits[:third]), np.median(logits[-third:])
    within = max(float(np.std(logits[:third])), float(np.std(logits[-third:])), 0.1)
    if abs(first - last) > _MAX_TREND * within:
        raise CalibrationRefused("the score drifted while listening: something began or ended; choose other hours")


def _blocks(logits: NDArray[np.float64], window_s: float, on_fraction: float) -> NDArray[np.float64]:
    """For each block the score that `on_fraction` of its windows reach, shape (blocks,)."""
    length = max(1, round(BLOCK_S / window_s))
    whole = logits[: len(logits) // length * length].reshape(-1, length)
    return np.quantile(whole, 1 - on_fraction, axis=1)


def _tail_level(blocks: NDArray[np.float64], chance: float) -> tuple[int, float]:
    """Return the number of values in the tail and the level that a block exceeds with this chance, upper bound."""
    start = float(np.quantile(blocks, _TAIL))
    excess = blocks[blocks > start] - start
    if len(excess) == 0:
        return 0, start
    mean = float(excess.mean())
    if float(excess.std()) > _HEAVY * mean:
        raise CalibrationRefused(
            "a few moments scored far above the rest: these hours were not quiet throughout; choose others"
        )
    n = len(excess)
    scale = n * mean / gamma_tenth(n)
    share = n / len(blocks)
    return n, start + scale * max(0.0, math.log(share / chance))


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
