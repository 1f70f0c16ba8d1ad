"""Decides whether a quantised network is accepted: compares its decisions and ranking with the float network's."""

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakear.edge.errors import ModelError
from leakear.edge.options import describe, option

Logits = NDArray[np.float64]
"""shape (n,)"""


@dataclass(frozen=True)
class Limits:
    """Largest differences from the float network. Each field is an option of the command line."""

    auc_drop: float = option(0.005, "largest loss of AUC over all compared windows", minimum=0, maximum=1)
    agreement: float = option(
        0.99,
        "smallest share of windows on which both networks decide the same at the deployed threshold",
        minimum=0,
        maximum=1,
    )
    probability: float = option(0.25, "largest difference of P(leak) on any window", minimum=0, maximum=1)
    event_agreement: float = option(
        0.95, "smallest share of alerts that both raise over the simulated node-days", minimum=0, maximum=1
    )


REMEDIES = {
    "auc_drop": "try --mode int16x8, or more calibration windows of the sites that lose most",
    "agreement": "try more --calibration-windows, another --seed, more --tries, or --mode int16x8",
    "probability": "try --mode int16x8; --report FOLDER shows which layer is the cause",
    "event_agreement": "try --mode int16x8; more --nodedays give a more exact figure",
}


@dataclass(frozen=True)
class Verdict:
    """What was measured."""

    windows: int
    """on which decisions were compared: training and held-out ones, the latter also altered by circumstances"""
    agreement: float
    """share of windows with the same decision"""
    flips: int
    """windows with another decision"""
    probability: float
    """worst difference of P(leak)"""
    auc_drop: float = 0.0
    """loss of AUC over all of these windows; 0 when it is higher"""
    heldout: int = 0
    """held-out windows"""
    auc_float: float = math.nan
    """of the float network on held-out windows, unaltered"""
    auc: float = math.nan
    """of the converted network on held-out windows, unaltered"""
    event_agreement: float | None = None
    """share of alerts raised by both; None when no node-days were simulated or none raised an alert"""
    node_days: float = 0.0
    """simulated days on which alerts were compared"""
    node_day_step_s: float | None = None
    """seconds from window to window on them"""
    alerts_float: int | None = None
    """raised by the float network on them"""
    alerts: int | None = None
    """raised by the converted network"""
    false_alerts_float: int | None = None
    """of the float network on days without a leak"""
    false_alerts: int | None = None
    """of the converted network on days without a leak"""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of the model file, rounded to six digits, as further ones differ between machines."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        rounded = {key: round(value, 6) if isinstance(value, float) else value for key, value in values.items()}
        return {key: None if value != value else value for key, value in rounded.items()}  # noqa: PLR0124  (nan)


def judge(floating: Logits, quantised: Logits, thresholds: tuple[float, float], temperature: float) -> Verdict:
    """Compare the decisions of two networks over the same windows.

    `thresholds`: the logits from which the float and the quantised network say Leak.
    """
    alike = (floating >= thresholds[0]) == (quantised >= thresholds[1])
    apart = np.abs(probability(floating / temperature) - probability(quantised / temperature))
    return Verdict(
        windows=len(floating), agreement=float(alike.mean()), flips=int((~alike).sum()), probability=float(apart.max())
    )


def shortfalls(verdict: Verdict, limits: Limits) -> list[str]:
    """Return one sentence for each missed limit: by how much, and what to try."""
    found = []
    for limit in fields(limits):
        measured, allowed = getattr(verdict, limit.name), getattr(limits, limit.name)
        if measured is None or math.isnan(measured):
            continue
        short = allowed - measured if limit.name.endswith("agreement") else measured - allowed
        if short > 1e-12:
            found.append(
                f"{describe(limit).doc}: {measured:.4f}, the limit is {allowed:g}, missed by {short:.4f}; "
                f"{REMEDIES[limit.name]}, or set --{limit.name.replace('_', '-')}"
            )
    return found


NEAR = 50
"""number of windows near the threshold from which the shift of the quantised logit is estimated"""


def refit(floating: Logits, quantised: Logits, threshold: float) -> float:
    """Return the logit threshold at which the quantised network decides most like the float one at `threshold`.

    Of equally good candidates, the one nearest to `threshold` plus the median shift of the logits near it is taken; a
    network without a shift keeps its threshold.
    """
    near = np.argsort(np.abs(floating - threshold))[:NEAR]
    expected = threshold + float(np.median(quantised[near] - floating[near]))
    wanted = floating >= threshold
    ordered = np.unique(quantised)
    candidates = np.concatenate([[expected], (ordered[:-1] + ordered[1:]) / 2])
    alike = ((quantised[None, :] >= candidates[:, None]) == wanted).sum(axis=1)
    best = candidates[alike == alike.max()]
    return float(best[np.argmin(np.abs(best - expected))])


def check_order(auc_float: float, name: str) -> None:
    """Refuse a network whose labels are swapped: it would alarm without a leak and miss leaks."""
    if auc_float < 0.4:
        raise ModelError(
            f"{name}: its logit is higher for NoLeak than for Leak (AUC {auc_float:.2f} on the calibration windows): "
            'its labels are swapped; say "output_positive": "NoLeak" in the description, or train again'
        )


def probability(logits: Logits | float) -> Logits:
    """Return 1 / (1 + e^-x)."""
    return np.asarray(np.exp(-np.logaddexp(0, -np.asarray(logits))), np.float64)


def logit(probability_of_leak: float) -> float:
    """Return the inverse of `probability`."""
    return math.log(probability_of_leak / (1 - probability_of_leak))
