"""A take begins at the very sample, says when that was, and refuses a hole."""

import numpy as np
import pytest

from leakear.edge.audio.blocks import Block
from leakear.edge.recording.take import Take, TakeError

RATE, BORN = 22050, 1.8e9
RAMP = np.arange(20 * RATE, dtype=np.float32)


def blocks(ppm: float = 0.0, jitter_s: float = 0.0, size: int = 1103) -> list[Block]:
    """Sample n was heard at 1000 + n / (RATE · (1 + ppm / 1e6)) and says its own number."""
    rng, found = np.random.default_rng(4), []
    for start in range(0, len(RAMP) - size, size):
        at = start / (RATE * (1 + ppm * 1e-6)) + rng.normal(0, jitter_s)
        found.append(Block(start, RAMP[start : start + size], BORN + at, 1000 + at))
    return found


def complete(take: Take, items: list[Block]) -> None:
    assert any(take.push(item) for item in items)


def test_it_begins_at_the_sample_and_has_all_of_them() -> None:
    take = Take(BORN + 3.5, 5 * RATE, RATE)
    complete(take, blocks())
    assert np.array_equal(take.sound(), RAMP[round(3.5 * RATE) : round(3.5 * RATE) + 5 * RATE])
    assert take.began(0) == pytest.approx(BORN + 3.5, abs=1e-6)


@pytest.mark.parametrize("ppm", [-100.0, 0.0, 60.0])
def test_the_time_of_the_first_sample_does_not_jitter_with_one_block(ppm: float) -> None:
    take = Take(BORN + 3, 10 * RATE, RATE)
    complete(take, blocks(ppm, 0.002))
    first = float(take.sound()[0])
    assert take.began(ppm) == pytest.approx(BORN + first / (RATE * (1 + ppm * 1e-6)), abs=0.0005)


def test_a_start_that_the_first_block_missed_says_so() -> None:
    take = Take(BORN - 0.4, 5 * RATE, RATE)
    complete(take, blocks())
    assert take.began(0) == pytest.approx(BORN, abs=1e-6)
    with pytest.raises(TakeError, match="lost"):
        Take(BORN - 2, 5 * RATE, RATE).push(blocks()[0])


def test_a_hole_and_a_clock_that_was_set_are_refused() -> None:
    items = blocks()
    with pytest.raises(TakeError, match="lost"):
        complete(Take(BORN + 1, 5 * RATE, RATE), items[:60] + items[61:])
    stepped = [Block(b.start, b.samples, b.utc + (b.start > 4 * RATE), b.monotonic) for b in items]
    take = Take(BORN + 1, 8 * RATE, RATE)
    complete(take, stepped)
    with pytest.raises(TakeError, match="was set"):
        take.began(0)
