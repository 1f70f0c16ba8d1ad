"""Checks that the runtimes agree on the golden vector, and that the integer logit's range is large enough."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from leakear.convert.quantising.flatbuffer import LogitScale
from leakear.convert.verifying.gate import Logits
from leakear.convert.verifying.runtimes import Outcome
from leakear.edge.errors import ModelError

RUNTIME_STEPS = 16
"""int8 steps by which runtimes may differ: 13 were measured between tflite-runtime 2.14 and LiteRT on one file"""
LEAST_STEPS = 4
"""additional int8 steps for future runtimes"""
FLOAT_SHARE = 0.02
"""of the logit's range, for networks that do not compute the logit in 256 steps"""


def tolerance(scale: LogitScale | None, floating: Logits, outcomes: Sequence[Outcome]) -> float:
    """Return how far a runtime's golden logit may be from the one in the file.

    Twice what the runtimes lay apart over all windows, within limits; the widest when one of them was not here.
    """
    if scale is None or scale.steps != 256:
        return float(np.ptp(floating)) * FLOAT_SHARE + 1e-3
    ran = [outcome.logits for outcome in outcomes if outcome.logits is not None]
    if len(ran) < len(outcomes):
        return RUNTIME_STEPS * scale.step
    apart = max(float(np.abs(logits - ran[0]).max()) for logits in ran)
    return float(np.clip(2 * apart, LEAST_STEPS * scale.step, RUNTIME_STEPS * scale.step))


def check_golden(golden: Logits, allowed: float, least_span: float, name: str) -> None:
    """Refuse a golden vector whose logits are so close that a wrong network could reproduce them."""
    if np.ptp(golden) < least_span * allowed:
        raise ModelError(
            f"{name}: its golden logits span only {np.ptp(golden):.3f}, {allowed:.3f} is allowed between runtimes: the "
            "network gives nearly the same logit for silence and for its training sounds; train it longer, or try it "
            "with --golden-span 0"
        )


def check_range(scale: LogitScale | None, floating: Logits, name: str) -> None:
    """Refuse an integer logit whose range is smaller than the float network's: it would saturate.

    Raises ModelError. `floating`: the float network's logits over the calibration set.
    """
    if scale is None:
        return
    low, high = np.quantile(floating, [0.01, 0.99])
    slack = 0.1 * (high - low)
    if scale.low > low + slack or scale.high < high - slack:
        raise ModelError(
            f"{name}: the integer logit spans {scale.low:.2f} to {scale.high:.2f}, the float network's {low:.2f} to "
            f"{high:.2f}: it would saturate; calibrate with windows of both classes"
        )


def check_runtimes(outcomes: Sequence[Outcome], expected: Logits, allowed: float) -> tuple[Outcome, ...]:
    """Return the outcomes; one whose golden logits are too far from the expected ones gets an error."""
    return tuple(_checked(outcome, expected, allowed) for outcome in outcomes)


def _checked(outcome: Outcome, expected: Logits, allowed: float) -> Outcome:
    if outcome.logits is None:
        return outcome
    apart = float(np.abs(outcome.logits[: len(expected)] - expected).max())
    if apart <= allowed:
        return outcome
    return replace(outcome, error=f"its golden logits lie {apart:.3f} from those expected, {allowed:.3f} is allowed")
