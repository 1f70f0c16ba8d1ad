"""Windows: nothing with a hole is judged, nothing is lost without being counted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakear.edge.audio.blocks import Block
from leakear.edge.spectrogram import SpectrogramSpec
from leakear.edge.windows import Window, Windower, step_samples

SPEC = SpectrogramSpec()
SMALL = SpectrogramSpec(sample_rate=100, window_seconds=1.0, n_fft=16, hop_length=4)


def block(start: int, n: int, utc0: float = 1000.0, rate: int = 100) -> Block:
    """Samples that hold their own position."""
    at = start / rate
    return Block(start, np.arange(start, start + n, dtype=np.float32), utc0 + at, at)


def test_windows_follow_each_other_and_know_when_they_began() -> None:
    windower = Windower(SMALL, 1.0)
    windows = [window for start in range(0, 350, 50) for window in windower.push(block(start, 50))]
    assert [window.start for window in windows] == [0, 100, 200]
    assert [window.step_samples for window in windows] == [None, 100, 100]
    assert [window.start_utc for window in windows] == pytest.approx([1000, 1001, 1002])
    assert [window.start_monotonic for window in windows] == pytest.approx([0, 1, 2])
    assert (windows[1].samples == np.arange(100, 200)).all()


def test_a_gap_discards_what_it_spoils_and_counts_it() -> None:
    windower = Windower(SMALL, 0.52)  # 52 samples: windows overlap
    windows = [*windower.push(block(0, 130)), *windower.push(block(131, 260))]
    assert [window.start for window in windows] == [0, 131, 183, 235, 287]  # 52 and 104 had begun
    assert (windower.discarded, windower.produced) == (2, 7)
    assert windows[1].step_samples is None
    assert (windows[1].samples == np.arange(131, 231)).all()


def test_a_clock_that_was_set_dates_the_window_anew() -> None:
    windower = Windower(SMALL, 1.0)
    windower.push(block(0, 50, utc0=0.0))
    (window,) = windower.push(block(50, 50, utc0=5000.0))
    assert window.start_utc == pytest.approx(5000.0)
    assert window.start_monotonic == pytest.approx(0.0)


def test_late_windows_are_dropped_until_the_backlog_is_gone() -> None:
    windower = Windower(SMALL, 1.0, max_lag_s=5.0)
    handed_out: list[Window] = []
    for second in range(20):  # heard while the judge was away until second 10
        handed_out += windower.push(block(second * 100, 100), now=max(10.0, second + 1.0))
    assert windower.dropped == 8  # those that ended at 1 to 8: lag above 5 s, then until a lag of one step
    assert [window.start // 100 for window in handed_out] == list(range(8, 20))
    assert windower.produced == windower.dropped + len(handed_out)


def test_recordings_are_never_late() -> None:
    windower = Windower(SMALL, 1.0, max_lag_s=0.0)
    assert len(windower.push(block(0, 500))) == 5


def test_steps_are_whole_hops_or_whole_windows() -> None:
    assert step_samples(SPEC, 1.0) == 43 * 512
    assert step_samples(SPEC, 10.0) == SPEC.window_samples
    assert step_samples(SPEC, 9.99) == SPEC.window_samples
    assert step_samples(SPEC, 30.0) == 30 * 22050


def test_a_step_longer_than_a_window_skips_what_lies_between() -> None:
    windower = Windower(SMALL, 2.5)
    windows = windower.push(block(0, 700))
    assert [window.start for window in windows] == [0, 250, 500]
    assert (windows[2].samples == np.arange(500, 600)).all()


@given(
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=40),
    gaps=st.lists(st.integers(0, 3), min_size=40, max_size=40),
    step=st.sampled_from([0.12, 0.52, 1.0, 1.7]),
)
@settings(max_examples=200, deadline=None)
def test_any_blocks_give_unbroken_windows_and_add_up(sizes: list[int], gaps: list[int], step: float) -> None:
    windower = Windower(SMALL, step)
    position, out = 0, []
    for size, gap in zip(sizes, gaps, strict=False):
        position += 57 * (gap == 3)
        out += windower.push(block(position, size))
        position += size
    for window in out:
        assert (np.diff(window.samples) == 1).all()
        assert window.samples[0] == window.start
    assert windower.produced == len(out) + windower.discarded + windower.dropped
    assert [window.index for window in out] == sorted({window.index for window in out})
