"""The windows over which the float and the converted network are compared."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakear.convert import calibration as sets
from leakear.convert.calibration import CIRCUMSTANCES, Calibration
from leakear.convert.gate import Logits
from leakear.convert.golden import golden_inputs
from leakear.convert.quantise import Codes
from leakear.convert.source import Source

KNOWN = 200
"""training windows judged beside the held-out ones, at most"""
FEW = 60
"""up to so many held-out windows are heard in every circumstance; more of them in one each"""


@dataclass(frozen=True)
class Windows:
    """All that every network is run over, in this order, so that one process a runtime is enough."""

    golden: Codes
    calibration: Codes
    """as chosen, half of them in a circumstance: for the range of the logit and the threshold"""
    known: Codes
    """training windows as heard: what quantising loses shows on them too, and a dozen held-out ones alone cannot
    tell 99 from 98 in 100"""
    known_labels: NDArray[np.uint8]
    heldout: Codes
    altered: Codes
    """the held-out windows again, in circumstances"""
    altered_labels: NDArray[np.uint8]

    @property
    def all(self) -> Codes:
        """Shape (n, rows, frames)."""
        return np.concatenate([self.golden, self.calibration, self.known, self.heldout, self.altered])

    def divide(self, values: Logits) -> "Divided":
        """Divide values over `all`."""
        sizes = [len(part) for part in (self.golden, self.calibration, self.known, self.heldout)]
        return Divided(*np.split(values, np.cumsum(sizes)))


@dataclass(frozen=True)
class Divided:
    """Logits over the parts of `Windows`."""

    golden: Logits
    calibration: Logits
    known: Logits
    heldout: Logits
    altered: Logits

    @property
    def trained(self) -> Logits:
        """What the threshold may be fitted on."""
        return np.concatenate([self.calibration, self.known])

    @property
    def judged(self) -> Logits:
        """Everything that the decision is compared on."""
        return np.concatenate([self.known, self.heldout, self.altered])


def gather(source: Source, chosen: Calibration) -> Windows:
    """Lay out the windows; the same source and calibration give the same ones."""
    spec, heldout = source.info.spectrogram, source.heldout
    rng = np.random.default_rng(chosen.seed)
    n = len(heldout.codes)
    kinds = CIRCUMSTANCES if n <= FEW else ("in turn",)
    cases = [
        (i, CIRCUMSTANCES[i % len(CIRCUMSTANCES)] if kind == "in turn" else kind) for kind in kinds for i in range(n)
    ]
    altered = [sets.alter(heldout.codes[i], kind, spec, rng) for i, kind in cases]
    known = np.sort(rng.permutation(len(source.calibration.codes))[:KNOWN])
    return Windows(
        golden_inputs(chosen.codes, chosen.labels),
        chosen.codes,
        source.calibration.codes[known],
        source.calibration.labels[known],
        heldout.codes,
        np.stack(altered) if altered else np.empty((0, *spec.shape), np.uint8),
        heldout.labels[[i for i, _ in cases]],
    )
