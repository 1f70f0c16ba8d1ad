"""The demonstration's day: quiet, a tap, a leak, mended; NumPy alone."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

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


def test_the_day_is_heard_at_the_rate_of_the_model() -> None:
    """Else a model of another rate hears every sound at another pitch, and a day of another length."""
    day, rate = (Part("quiet", 0.1), Part("leak", 0.4)), 8000
    heard, whole = (list(demo_day.blocks(1, day, utc=100.0, rate=at)) for at in (rate, demo_day.RATE))
    sound, whole_sound = (np.concatenate([block.samples for block in part]) for part in (heard, whole))
    assert len(sound) == pytest.approx(30 * rate, abs=0.1 * rate)
    assert all(abs(block.utc - 100.0 - block.start / rate) < 1e-6 for block in heard)
    tones = [
        np.argmax(np.abs(np.fft.rfft(part[10 * at :][: 10 * at])) ** 2) / 10
        for part, at in ((sound, rate), (whole_sound, demo_day.RATE))
    ]
    assert tones[0] == pytest.approx(tones[1], abs=1)


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
