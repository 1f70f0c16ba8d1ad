"""Writing: a finished recording becomes a FLAC file, one second of sound at a time.

Compressing a minute at once would take long enough on a small board to hold up an alert.
"""

import math
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from leakear.edge.audio.blocks import to_int16
from leakear.edge.audio.resample import Resampler

LOUD_DBFS = -50.0
"""RMS to which faint sound is raised at the most: 16 bits are then finer than any noise in it"""
HIGHEST = 0.9
"""largest sample after that"""
_STEP_DB = 20 * math.log10(2)


def level_dbfs(samples: NDArray[np.float32]) -> float:
    """RMS level of some samples, shape (n,), dBFS (0 dB: a full-scale sine), its mean removed; silence: -200."""
    power = float(np.var(samples, dtype=np.float64))
    return 10 * math.log10(2 * power) if power > 5e-21 else -200.0


def gain_db(samples: NDArray[np.float32]) -> float:
    """Return by how much to raise a recording, shape (n,), before 16 bits are cut: whole factors of two, from 0 dB."""
    level, peak = level_dbfs(samples), float(np.max(np.abs(samples), initial=0.0))
    if peak == 0:
        return 0.0
    doublings = min((LOUD_DBFS - level) / _STEP_DB, math.log2(HIGHEST / peak))
    return max(0, math.floor(doublings)) * _STEP_DB


def written(samples: NDArray[np.float32], rate: int, file_rate: int, gain: float) -> Iterator[bytes | None]:
    """Yield None after each second of sound, shape (n,), and at last the FLAC file. `gain`: dB."""
    import soundfile

    buffer, resampler, factor = BytesIO(), Resampler(rate, file_rate), np.float32(10 ** (gain / 20))
    with soundfile.SoundFile(buffer, "w", file_rate, 1, "PCM_16", format="FLAC") as file:
        for begin in range(0, len(samples), rate):
            part = samples[begin : begin + rate]
            file.write(to_int16(resampler.push(part, last=begin + rate >= len(samples)) * factor))
            yield None
    yield buffer.getvalue()
