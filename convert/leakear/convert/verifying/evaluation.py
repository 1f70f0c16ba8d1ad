"""The windows over which the float and the converted network are compared."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakear.convert.quantising import calibration as sets
from leakear.convert.quantising.calibration import CIRCUMSTANCES, Calibration
from leakear.convert.quantising.quantise import Codes
from leakear.convert.source import Source
from leakear.convert.verifying.gate import Logits
from leakear.convert.verifying.golden import golden_inputs

KNOWN = 200
"""largest number of training windows that are compared besides the held-out ones"""
FEW = 60
"""up to this number, held-out windows are altered by every circumstance; beyond it by one each"""


@dataclass(frozen=True)
class Windows:
    """The windows for every network in a fixed order, so that each runtime needs only one process."""

    golden: Codes
    calibration: Codes
    """the calibration set, half of it altered: for the range of the logit and the threshold"""
    known: Codes
    """unaltered training windows: quantisation changes them too, and a dozen held-out ones alone cannot distinguish
    99 % from 98 % agreement"""
    known_labels: NDArray[np.uint8]
    heldout: Codes
    altered: Codes
    """the held-out windows again, altered"""
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
        """The values on which the threshold is fitted."""
        return np.concatenate([self.calibration, self.known])

    @property
    def judged(self) -> Logits:
        """The values on which decisions are compared."""
        return np.concatenate([self.known, self.heldout, self.altered])


def gather(source: Source, chosen: Calibration) -> Windows:
    """Return the windows; the same source and calibration give the same ones."""
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
