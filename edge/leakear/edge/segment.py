"""One unbroken stretch of a microphone's sound: native frames in, blocks at the model's rate out."""

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio import Resampler
from leakear.edge.windows import Block


class Segment:
    """Begins at a stream position, with a resampler that has heard nothing before."""

    def __init__(self, rate: int, model_rate: int, start: int) -> None:
        self._rate = rate
        self._model_rate = model_rate
        self._resampler = Resampler(rate, model_rate)
        self._start = start
        self._heard = 0
        self._given = 0

    def push(self, mono: NDArray[np.float32], monotonic: float, utc: float) -> Block | None:
        """Resample frames whose last one was heard at `monotonic`; None while the resampler collects."""
        self._heard += len(mono)
        samples = self._resampler.push(mono)
        age_s = self._heard / self._rate - self._given / self._model_rate
        block = Block(self._start + self._given, samples, utc - age_s, monotonic - age_s)
        self._given += len(samples)
        return block if len(samples) else None
