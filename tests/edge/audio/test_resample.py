"""Sound at another rate: exactly what one call over the whole gives, gaps and times kept."""

import numpy as np
import pytest
import soxr

from leakear.edge.audio.blocks import Block
from leakear.edge.audio.resample import resampled

SOUND = np.random.default_rng(0).standard_normal(90_000).astype(np.float32)


def cut(size: int, first: int, last: int) -> list[Block]:
    """Blocks of the samples from first to last, heard since POSIX second 100."""
    starts = range(first, last, size)
    return [Block(at, SOUND[at : min(at + size, last)], 100 + at / 22050, at / 22050) for at in starts]


@pytest.mark.parametrize("size", [17, 509, 5000])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_each_stretch_equals_one_call_and_a_gap_stays_one(size: int, rate: int) -> None:
    parts = ((0, 30_000), (60_000, 90_000))
    heard = list(resampled([block for part in parts for block in cut(size, *part)], 22050, rate))
    stretches: list[list[Block]] = []
    for block in heard:
        if not stretches or block.start != stretches[-1][-1].start + len(stretches[-1][-1].samples):
            stretches.append([])
        stretches[-1].append(block)
        assert block.utc - 100 == pytest.approx(block.start / rate, abs=1 / rate)
        assert block.monotonic == pytest.approx(block.start / rate, abs=1 / rate)
    assert len(stretches) == 2
    for (first, last), stretch in zip(parts, stretches, strict=True):
        whole = soxr.resample(SOUND[first:last], 22050, rate, quality=soxr.HQ)
        assert stretch[0].start == round(first * rate / 22050)
        assert np.array_equal(np.concatenate([block.samples for block in stretch]), whole)


def test_sound_at_the_right_rate_passes_as_it_is() -> None:
    blocks = cut(509, 0, 5000)
    assert list(resampled(blocks, 22050, 22050)) == blocks
