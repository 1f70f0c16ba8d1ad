"""Resampling to the model's rate by soxr HQ: streaming, and bit-equal to one call whatever the block size."""

from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np
import soxr
from numpy.typing import NDArray

from leakear.edge.audio.blocks import Block


class Resampler:
    """Streams mono samples from one rate to another. Equal rates: samples are returned unchanged."""

    def __init__(self, rate_in: float, rate_out: float) -> None:
        self._stream = None if rate_in == rate_out else soxr.ResampleStream(rate_in, rate_out, 1, np.float32, soxr.HQ)

    def push(self, samples: NDArray[np.float32], *, last: bool = False) -> NDArray[np.float32]:
        """Resample what can be resampled so far, shape (n,) → (m,); `last`: also the rest."""
        if self._stream is None:
            return samples
        return cast("NDArray[np.float32]", self._stream.resample_chunk(samples, last=last))


class Segment:
    """One unbroken stretch of a microphone's sound: native frames in, blocks at the model's rate out."""

    def __init__(self, rate: int, model_rate: int, start: int) -> None:
        self._rate = rate
        self._model_rate = model_rate
        self._resampler = Resampler(rate, model_rate)
        self._start = start
        self._heard = 0
        self._given = 0

    def push(self, mono: NDArray[np.float32], monotonic: float, utc: float) -> Block | None:
        """Resample frames, shape (n,), the last of which was heard at `monotonic` (s) and `utc` (s since 1970).

        None while the resampler has too few.
        """
        self._heard += len(mono)
        samples = self._resampler.push(mono)
        age_s = self._heard / self._rate - self._given / self._model_rate
        block = Block(self._start + self._given, samples, utc - age_s, monotonic - age_s)
        self._given += len(samples)
        return block if len(samples) else None


def resampled(blocks: Iterable[Block], rate: int, model_rate: int) -> Iterator[Block]:
    """Yield sound of one rate (Hz) as blocks at another; a gap stays one. Equal rates: the blocks as they are.

    For sound whose times are exact, such as a simulated day.
    """
    if rate == model_rate:
        yield from blocks
        return
    nothing = np.zeros(0, np.float32)
    resampler, first, heard, given = Resampler(rate, model_rate), Block(0, nothing, 0.0, 0.0), 0, 0

    def block(samples: NDArray[np.float32]) -> Block:
        after_s = given / model_rate
        start = round(first.start * model_rate / rate) + given
        return Block(start, samples, first.utc + after_s, first.monotonic + after_s)

    for each in blocks:
        if not heard or each.start != first.start + heard:
            if len(rest := resampler.push(nothing, last=True)):
                yield block(rest)
            resampler, first, heard, given = Resampler(rate, model_rate), each, 0, 0
        heard += len(each.samples)
        if len(samples := resampler.push(each.samples)):
            yield block(samples)
            given += len(samples)
    if len(rest := resampler.push(nothing, last=True)):
        yield block(rest)
