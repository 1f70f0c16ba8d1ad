"""A trivial scorer for tests of the machinery: the mean level between 300 and 2000 Hz. It is no leak detector."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakear.edge.model.tflite import sigmoid
from leakear.edge.pipeline import Scorer
from leakear.edge.spectrogram import Decibels, SpectrogramSpec

SPEC = SpectrogramSpec(reference="full-scale", band_hz=(300, 2000))


class LevelScorer:
    def score(self, spectrogram: Decibels) -> float:
        return sigmoid(0.3 * (float(np.median(spectrogram)) + 85))


@dataclass(frozen=True)
class OpenLevel:
    def key(self) -> str:
        return "level"

    def files(self) -> tuple[Path, ...]:
        return ()

    def open(self) -> tuple[Scorer, SpectrogramSpec]:
        return LevelScorer(), SPEC
