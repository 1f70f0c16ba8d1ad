"""The golden vector: inputs whose logits every runtime must reproduce before a node trusts the file.

They are made to be small (a model file may have 150 KiB, and one real spectrogram needs as much): mean spectra of the
calibration windows in coarse steps, with envelopes over time that also detect swapped axes.
"""

import numpy as np
from numpy.typing import NDArray

from leakear.convert.quantising.quantise import Codes

COARSE = 16
"""step of the spectra, codes; coarse steps repeat from row to row, so that ZIP compresses them"""


def golden_inputs(calibration: Codes, labels: NDArray[np.uint8]) -> Codes:
    """Return the golden inputs, shape (7, rows, frames): silence, and three envelopes on the spectrum of each class."""
    frames = calibration.shape[2]
    envelopes = _envelopes(frames)
    inputs = [np.zeros(calibration.shape[1:], np.uint8)]
    for label in (0, 1):
        spectrum = np.median(calibration[labels == label].mean(axis=2), axis=0)
        coarse = np.rint(spectrum / COARSE) * COARSE
        inputs += [np.clip(coarse[:, None] + envelope, 0, 255).astype(np.uint8) for envelope in envelopes]
    return np.stack(inputs)


def _envelopes(frames: int) -> NDArray[np.float64]:
    """Return offsets in codes over time, shape (3, frames): steady, a sound that stops half-way, clicks that rise."""
    steady = np.zeros(frames)
    stops = np.where(np.arange(frames) < frames // 2, COARSE, -255)
    clicks = np.zeros(frames)
    for i, frame in enumerate(np.linspace(0, frames - 1, 8).astype(int)):
        clicks[frame : frame + 4] = COARSE * (i + 1)
    return np.stack([steady, stops, clicks])
