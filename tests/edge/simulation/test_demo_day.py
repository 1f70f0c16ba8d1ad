"""The demonstration's day: quiet, a tap, a leak, mended; NumPy alone."""

from itertools import islice
from pathlib import Path

import numpy as np

from leakear.edge.simulation import demo_day
from leakear.edge.simulation.demo_day import Part


def test_the_day_holds_what_it_says_in_one_unbroken_stream() -> None:
    day = (Part("quiet", 0.2), Part("tap", 0.2), Part("quiet", 0.2), Part("leak", 0.2), Part("quiet", 0.2))
    position = 0
    powers: dict[str, list[float]] = {"quiet": [], "tap": [], "leak": []}
    for block in demo_day.blocks(1, day, utc=100.0):
        assert block.start == position
        assert block.samples.dtype == np.float32
        position += len(block.samples)
        now = next(what for start, end, what in demo_day.truth(day) if start <= block.utc - 100.0 < end)
        powers[now].append(np.mean(block.samples**2))
    assert position == 60 * demo_day.RATE
    assert min(np.median(powers["tap"]), np.median(powers["leak"])) > 10 * np.median(powers["quiet"])


def test_equal_seeds_give_equal_days() -> None:
    first, second, other = (list(islice(demo_day.blocks(seed), 3)) for seed in (1, 1, 2))
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0].samples, other[0].samples)


def test_the_tap_is_shorter_than_any_use_and_the_leak_longer_than_the_decision_needs() -> None:
    spans = {what: end - start for start, end, what in demo_day.truth()}
    assert spans["tap"] == 600
    assert spans["leak"] >= 75 * 60


def test_the_day_can_be_written(tmp_path: Path) -> None:
    import soundfile

    path = tmp_path / "day.flac"
    demo_day.write(path, day=(Part("leak", 0.1),))
    assert soundfile.info(path).frames == 6 * demo_day.RATE
