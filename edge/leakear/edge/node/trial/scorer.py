"""The scorer of a model that is not trusted yet."""

import math

from leakear.edge.errors import ModelError
from leakear.edge.model.tflite import Model
from leakear.edge.spec import Decibels


class TrialScorer:
    """A model that is not trusted yet: every failure becomes a ModelError, so that it can be replaced."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def score(self, spectrogram: Decibels) -> float:
        """Return P(leak) of one window, shape (rows, frames), dB. Raises ModelError for anything but a number."""
        try:
            score = self.model.score(spectrogram)
        except Exception as error:
            raise ModelError(f"{self.model.info.model_id} failed on a window: {error}") from error
        if not math.isfinite(score):
            raise ModelError(f"{self.model.info.model_id} gave no number for a window")
        return score
