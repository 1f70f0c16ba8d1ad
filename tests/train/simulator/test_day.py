"""Node-days: streams that are reproducible, and a truth that tells what was in them."""

import json
from itertools import islice

import numpy as np
import pytest

from leakear.train.simulator import Site
from leakear.train.simulator.day import Day
from leakear.train.simulator.timeline import DAY_S, LONG_USE_S, LONGEST_USE_S, ONSET_S, Event, pressure
from leakear.train.simulator.units import HOP, RATE

SITE = Site.draw(11)


def test_equal_arguments_give_equal_days() -> None:
    first, second = (Day(SITE, 1, leak=True) for _ in range(2))
    assert first.truth() == second.truth()
    for a, b in islice(zip(first.blocks(), second.blocks(), strict=True), 5):
        assert np.array_equal(a.samples, b.samples)
        assert a.start == b.start
    assert Day(SITE, 2, leak=True).truth() != first.truth()


def test_a_day_is_a_stream_without_gaps() -> None:
    blocks = list(islice(Day(SITE, 1, leak=False).blocks(hours=(10.0, 11.0), utc=7.0), 20))
    assert len(blocks) == 20
    for number, block in enumerate(blocks):
        assert block.start == number * HOP
        assert block.samples.shape == (HOP,)
        assert block.utc - 7.0 == pytest.approx(36000 + number * HOP / RATE, abs=1.5)


def test_sound_between_windows_is_zeros_and_the_rest_is_equal() -> None:
    whole = list(islice(Day(SITE, 1, leak=True).blocks(), 60))
    sparse = list(islice(Day(SITE, 1, leak=True).blocks(step_s=30.0), 60))
    full = np.concatenate([b.samples for b in whole])
    thin = np.concatenate([b.samples for b in sparse])
    windows = [slice(k * 30 * RATE, (k * 30 + 10) * RATE) for k in range(2)]
    for window in windows:
        assert np.mean(full[window] ** 2) == pytest.approx(np.mean(thin[window] ** 2), rel=0.1)
    assert any(not b.samples.any() for b in sparse)


@pytest.mark.parametrize("seed", range(6))
def test_the_description_of_a_day_is_complete(seed: int) -> None:
    day = Day(Site.draw(seed), seed, leak=True)
    truth = json.loads(json.dumps(day.truth()))
    assert all(0 <= e["start_s"] <= e["end_s"] <= DAY_S for e in truth["events"])
    leak = next(e for e in truth["events"] if e["kind"] == "leak")
    assert ONSET_S[0] <= leak["start_s"] <= ONSET_S[1]
    assert -10 <= leak["snr_db"] <= 30
    uses = [e for e in truth["events"] if e["kind"] == "use"]
    assert len({e["began_s"] for e in uses}) >= 11
    assert all(e["ended_s"] - e["began_s"] <= (LONG_USE_S[1] if "name" in e else LONGEST_USE_S) for e in uses)
    middle = int((leak["start_s"] + 60) * RATE / HOP)
    assert day.scene(middle).leak_db is not None
    assert day.scene(0).leak_db is None
    assert not any(e.kind == "leak" for e in Day(Site.draw(seed), seed, leak=False).events)


def test_a_leak_raises_the_level_in_its_band() -> None:
    day = Day(SITE, 1, leak=True, snr_db=25.0)
    leak = day.leak
    assert isinstance(leak, Event)
    onset = int(leak.start_s * RATE / HOP)
    before, after = (
        np.median([np.mean(day.render(onset + k) ** 2) for k in at]) for at in (range(-12, -2), range(2, 12))
    )
    assert after > 1.3 * before


def test_pressure_is_lowest_at_the_busiest_hours() -> None:
    assert pressure(12 * 3600, 0.3) == 1.0
    assert pressure(2 * 3600, 0.3) == pytest.approx(0.7, abs=0.01)
