"""Simulated pairs: what they promise about delay, level, clocks and the pipe."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.signal

from leakear.train.simulator.pairs import KINDS, MATERIALS, Case, Clock, Wall, render

EXACT = Clock(0.0, 0.0, (0.0, 0.0), 0.0, 0.0)


def drawn(seed: int = 1, material: str = "steel", **changes: object) -> Case:
    made = Case.draw(seed, material, length=80.0, snr_db=20.0, seconds=6.0)
    made = replace(made, clock=EXACT, reflection=0.0, wall=replace(made.wall, loss=1e-6))
    return replace(made, **changes)  # type: ignore[arg-type]


def lag(a: np.ndarray, b: np.ndarray, rate: float) -> float:
    """Delay of b, s, from the plain correlation of what lies between 200 and 1500 Hz."""
    band = scipy.signal.butter(4, (200, 1500), "bandpass", fs=rate, output="sos")
    a, b = (scipy.signal.sosfiltfilt(band, s) for s in (a, b))
    return float(np.argmax(scipy.signal.correlate(b, a, "full")) - len(a) + 1) / rate


def test_a_seed_gives_the_same_pair_and_another_one_another() -> None:
    first, again, other = (render(drawn(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first[0], other[0])


@pytest.mark.parametrize("position", [10.0, 40.0, 65.0])
def test_the_sound_arrives_with_its_true_delay(position: float) -> None:
    made = drawn(position=position)
    assert lag(*render(made), made.rate) == pytest.approx(made.true_delay, abs=4e-4)
    assert (made.true_delay > 0) == (position < 40)


def test_a_machine_beyond_a_sensor_has_the_delay_of_the_whole_pipe() -> None:
    made = drawn(kind="machine", position=-12.0)
    assert lag(*render(made), made.rate) == pytest.approx(80 / made.wall.speed, abs=4e-4)


def test_a_late_clock_and_a_fast_one_move_the_delay() -> None:
    made = drawn(position=30.0)
    late = replace(made, clock=replace(EXACT, offset_s=0.004))
    assert lag(*render(late), made.rate) == pytest.approx(made.true_delay - 0.004, abs=4e-4)
    fast = replace(made, clock=replace(EXACT, drift_ppm=(-300.0, 300.0)))
    a, b = render(fast)
    ends = [lag(a[part], b[part], made.rate) for part in (slice(0, 8192), slice(-8192, None))]
    assert ends[1] - ends[0] == pytest.approx(600e-6 * (made.seconds - 1), abs=5e-4)


def test_background_has_nothing_in_common_but_hum() -> None:
    made = drawn(kind="background")
    made = replace(made, noises=tuple(replace(n, hum_db=-60.0, bursts=0) for n in made.noises))
    a, b = render(made)
    f, coherence = scipy.signal.coherence(a, b, made.rate, nperseg=1024)
    assert coherence[(f > 100) & (f < 1500)].mean() < 0.05


@pytest.mark.parametrize("material", MATERIALS)
def test_loss_and_speed_grow_with_frequency(material: str) -> None:
    wall = Wall.draw(np.random.default_rng(3), material)
    f = np.array([100.0, 200.0, 400.0])
    gain = wall.path(f, 1.0)
    assert (np.diff(np.abs(gain)) < 0).all()
    speed = -2 * np.pi * f * 0.01 / np.angle(wall.path(f, 0.01))
    assert speed[1] == pytest.approx(wall.speed, rel=1e-6)
    assert (np.diff(speed) > 0).all()
    assert MATERIALS[material][0] <= wall.speed <= MATERIALS[material][1]


def test_what_the_operator_knows_holds_the_truth() -> None:
    for seed in range(200):
        made = Case.draw(seed, "pvc", kind=KINDS[seed % len(KINDS)], bound_s=0.01, drift_bound_ppm=50)
        assert made.speed_range[0] <= made.wall.speed <= made.speed_range[1]
        assert max(np.abs(made.clock.drift_ppm)) <= 50
    offsets = [abs(Case.draw(seed, "pvc", bound_s=0.01).clock.offset_s) for seed in range(1000)]
    assert np.mean(np.array(offsets) <= 0.01) == pytest.approx(0.95, abs=0.02)
