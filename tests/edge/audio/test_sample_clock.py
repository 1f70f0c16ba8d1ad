"""The time of a sample: against a device whose drift and hand-over jitter are known."""

from dataclasses import astuple, dataclass, field

import numpy as np
import pytest

from leakear.edge.audio.sample_clock import LEAST_POINTS, SampleClock

RATE, COUNT = 48000, 2400


@dataclass
class Device:
    """Hands over 50 ms at a time. True time of sample n: `began` + n / (RATE · (1 + ppm / 1e6))."""

    ppm: float = 0.0
    jitter_s: float = 0.002
    began: float = 1000.0
    states_delay: bool = True
    clock: SampleClock = field(default_factory=lambda: SampleClock(RATE))
    position: int = 0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(8))

    def true(self, position: int) -> float:
        return self.began + position / (RATE * (1 + self.ppm * 1e-6))

    def run(self, seconds: float, late_s: float = 0.0, wrong_s: float = 0.0) -> None:
        """`late_s`: every hand-over is later by this; `wrong_s`: the stated delay is wrong by this."""
        for _ in range(round(seconds * RATE / COUNT)):
            now = self.true(self.position + COUNT) + late_s + self.rng.exponential(self.jitter_s)
            stated = now - self.true(self.position) + self.rng.normal(0, self.jitter_s) + wrong_s
            self.clock.heard(self.position, COUNT, now, max(0.0, stated) if self.states_delay else None)
            self.position += COUNT

    def error_s(self) -> float:
        at = self.clock.time_of(self.position)
        assert at is not None
        return at - self.true(self.position)


@pytest.mark.parametrize("ppm", [-80.0, 0.0, 50.0])
def test_drift_and_time_are_found_within_what_is_stated(ppm: float) -> None:
    device = Device(ppm)
    device.run(300)
    timing = device.clock.timing
    assert timing is not None
    assert {type(value) for value in (device.clock.time_of(5), *astuple(timing))} == {float}  # they go into messages
    assert abs(device.error_s()) <= timing.uncertainty_s < 0.002
    assert abs(timing.drift_ppm - ppm) <= timing.drift_uncertainty_ppm < 20


def test_the_statement_holds_in_most_of_many_draws() -> None:
    """It is a 95 % bound: 200 devices of any drift, after 20 to 200 s."""
    rng, held, drift_held = np.random.default_rng(3), 0, 0
    for draw in range(200):
        device = Device(float(rng.normal(0, 50)), float(rng.uniform(1e-4, 5e-3)), rng=np.random.default_rng(draw))
        device.run(float(rng.uniform(20, 200)))
        timing = device.clock.timing
        assert timing is not None
        held += abs(device.error_s()) <= timing.uncertainty_s
        drift_held += abs(timing.drift_ppm - device.ppm) <= timing.drift_uncertainty_ppm
    assert held >= 190
    assert drift_held >= 190


def test_a_busy_machine_hardly_moves_the_line() -> None:
    device = Device(20)
    device.run(60)
    device.run(4, wrong_s=-0.02)  # for four seconds the server states a delay that is 20 ms too short
    device.run(2, late_s=0.4)
    assert abs(device.error_s()) < 0.001
    assert device.clock.timing is not None


def test_without_a_stated_delay_the_earliest_hand_over_counts() -> None:
    device = Device(-30, states_delay=False)
    device.run(200)
    assert device.clock.timing is not None
    assert abs(device.error_s()) <= device.clock.timing.uncertainty_s
    assert abs(device.clock.timing.drift_ppm + 30) <= device.clock.timing.drift_uncertainty_ppm


@pytest.mark.parametrize("stated", [-1.0, 5.0, float("nan")])
def test_a_delay_that_cannot_be_is_not_used(stated: float) -> None:
    device = Device()
    for _ in range(400):
        device.clock.heard(device.position, COUNT, device.true(device.position + COUNT), stated)
        device.position += COUNT
    assert abs(device.error_s()) < 1e-5


def test_lost_samples_begin_a_new_line_that_knows_the_drift() -> None:
    device = Device(60, jitter_s=0.0005)
    device.run(200)
    device.began += 1.5  # samples were lost
    device.clock.lost()
    assert device.clock.timing is None
    assert device.clock.time_of(device.position) is None
    device.run(20)
    timing = device.clock.timing
    assert timing is not None
    assert abs(device.error_s()) <= timing.uncertainty_s
    assert abs(timing.drift_ppm - 60) <= timing.drift_uncertainty_ppm < 50


def test_samples_that_were_lost_without_a_word_are_noticed() -> None:
    device = Device()
    device.run(200)
    device.began += 0.5
    device.run(60)
    assert device.clock.timing is not None
    assert abs(device.error_s()) <= device.clock.timing.uncertainty_s


def test_nothing_is_stated_too_early_or_of_no_quartz() -> None:
    device = Device()
    device.run(LEAST_POINTS - 1)
    assert device.clock.timing is None
    fast = Device(9e6, jitter_s=1e-5)  # a recording played ten times too fast
    fast.run(200)
    assert fast.clock.timing is None
    assert fast.clock.time_of(fast.position) is None


def test_what_the_newest_seconds_contradict_is_not_stated_as_known() -> None:
    """A server whose delay was wrong by 25 ms in its first half minute: until that is forgotten, the bound says so."""
    device = Device(jitter_s=0.0005)
    device.run(30, wrong_s=-0.025)
    device.run(12)  # nothing contradicts it before
    for _ in range(60):
        device.run(2)
        timing = device.clock.timing
        assert timing is None or abs(device.error_s()) <= timing.uncertainty_s
    assert device.clock.timing is not None
