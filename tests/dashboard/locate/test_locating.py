"""Positions, intervals and refusals on simulated pairs."""

from dataclasses import replace

import numpy as np
import pytest

from leakear.dashboard.locate import Clock, Recording, locate
from leakear.train.simulator.pairs import Case
from leakear.train.simulator.pairs import Clock as TrueClock
from tests.support.pairs import case, described, recorded


def reason(made: Case, recording: Recording | None = None, pumps: tuple[float, ...] = ()) -> str | None:
    found = locate([recording or recorded(made)], described(made, pumps))
    assert (found.position is None) == (found.refusal is not None)
    return found.refusal.reason if found.refusal else None


@pytest.mark.parametrize("material", ["steel", "iron", "copper", "cement", "pvc", "pe"])
def test_a_leak_is_inside_its_interval(material: str) -> None:
    made = case(3, material, position=13.0)
    found = locate([recorded(made)], described(made))
    assert found.position is not None
    low, high = found.position.most
    assert low <= 13.0 <= high
    assert high - low < 4
    assert low <= found.position.half[0] <= found.position.median <= found.position.half[1] <= high


def test_the_delay_is_positive_when_the_leak_is_nearer_to_a() -> None:
    near_a, near_b = case(3, position=20.0), case(3, position=80.0)
    assert locate([recorded(near_a)], described(near_a)).sources[0].delay == pytest.approx(near_a.true_delay, abs=5e-4)
    assert near_a.true_delay > 0
    assert locate([recorded(near_b)], described(near_b)).sources[0].delay == pytest.approx(near_b.true_delay, abs=5e-4)
    assert near_b.true_delay < 0


@pytest.mark.parametrize("material", ["steel", "pe"])
def test_swapped_recordings_give_the_mirrored_position(material: str) -> None:
    made = case(4, material, position=12.0)
    recording = recorded(made)
    right = locate([recording], described(made)).position
    swapped = locate([replace(recording, a=recording.b, b=recording.a)], described(made)).position
    assert right is not None
    assert swapped is not None
    assert swapped.median == pytest.approx(made.stated_length - right.median, abs=0.1)


def test_unknown_drift_is_found_and_known_drift_and_offset_are_undone() -> None:
    clock = TrueClock(bound_s=0.0, offset_s=0.004, drift_ppm=(-45.0, 48.0), drift_bound_ppm=50.0, jitter_s=0.0)
    made = case(5, position=30.0, clock=clock, seconds=20.0)
    unknown = replace(recorded(made), clock=Clock(drift_bound_ppm=50.0, offset=-0.004))
    found = locate([unknown], described(made))
    assert found.position is not None
    assert found.position.most[0] <= 30.0 <= found.position.most[1]
    known = replace(unknown, clock=Clock(offset=-0.004, drift_ppm=93.0))
    narrower = locate([known], described(made))
    assert narrower.position is not None
    assert narrower.position.median == pytest.approx(found.position.median, abs=0.3)
    assert narrower.score > 10 * narrower.required


def test_looser_clocks_widen_the_interval() -> None:
    made = case(6, position=35.0)
    widths = []
    for bound in (0.0, 0.002, 0.01):
        found = locate([replace(recorded(made), clock=Clock(bound))], described(made)).position
        assert found is not None
        widths.append(found.most[1] - found.most[0])
    assert widths == sorted(widths)
    assert widths[2] == pytest.approx(0.01 * made.wall.speed, rel=0.25)  # ± speed · bound / 2


def test_silence_is_refused() -> None:
    made = case(1)
    recording = recorded(made)
    assert reason(made, replace(recording, b=np.zeros_like(recording.b))) == "silent"


def test_loose_clocks_are_refused_before_anything_is_correlated() -> None:
    made = case(1)
    assert reason(made, replace(recorded(made), clock=Clock(offset_bound=0.1))) == "clock"


def test_background_alone_has_too_little_in_common() -> None:
    assert [reason(case(seed, kind="background")) for seed in range(4)] == ["coherence"] * 4


@pytest.mark.parametrize("position", [-6.0, 0.0, 100.0, 109.0])
def test_a_machine_beside_or_beyond_a_sensor_is_at_that_end(position: float) -> None:
    made = case(7, kind="machine", position=position)
    found = locate([recorded(made)], described(made))
    assert found.refusal is not None
    assert found.refusal.reason == "end"
    assert f"sensor {'A' if position <= 0 else 'B'} or beyond" in found.refusal.text


def test_an_echo_in_mid_pipe_does_not_turn_a_machine_into_a_leak() -> None:
    made = case(8, kind="reflection", position=-3.0, reflector=60.0, reflection=0.45)
    assert reason(made) == "end"


def test_what_reaches_both_recorders_at_once_may_be_electrical() -> None:
    made = case(9, kind="background")
    recording = recorded(made)
    common = np.random.default_rng(0).normal(0, np.std(recording.a), len(recording.a))
    assert reason(made, replace(recording, a=recording.a + common, b=recording.b + common)) == "middle"


def test_hum_of_one_grid_is_no_source() -> None:
    made = case(10, kind="background")
    loud = tuple(replace(noise, hum_db=30.0) for noise in made.noises)
    assert reason(replace(made, noises=loud)) == "coherence"


def test_a_known_pump_is_no_leak() -> None:
    made = case(11, position=40.0)
    assert reason(made, pumps=(40.5,)) == "pump"
    assert reason(made, pumps=(60.0,)) is None


def test_a_delay_that_the_pipe_cannot_cause_is_outside_of_it() -> None:
    made = case(17, position=15.0)
    found = locate([recorded(made)], replace(described(made), length=50.0, length_uncertainty=0.5))
    assert found.refusal is not None
    assert found.refusal.reason == "outside"
    assert "this pipe can cause" in found.refusal.text


def test_an_interval_over_a_third_of_the_pipe_is_ambiguous() -> None:
    made = case(12, position=55.0)
    bound = 0.39 * made.stated_length / described(made).speed.middle
    found = locate([replace(recorded(made), clock=Clock(bound))], described(made))
    assert found.refusal is not None
    assert found.refusal.reason == "ambiguous"


def test_a_second_leak_is_a_second_source() -> None:
    first, second = case(13, position=20.0), case(14, position=70.0, wall=case(13).wall)
    one, other = recorded(first), recorded(second)
    found = locate([Recording(one.a + 0.7 * other.a, one.b + 0.7 * other.b, one.rate)], described(first))
    assert [source.kind for source in found.sources[:2]] == ["leak", "leak_or_echo"]
    assert sorted(source.position.median for source in found.sources[:2]) == pytest.approx([20, 70], abs=2)


def test_repeats_find_what_one_recording_does_not() -> None:
    faint = [
        case(seed, position=30.0, snr_db=-13.0, wall=case(1).wall, speed_range=case(1).speed_range) for seed in range(8)
    ]
    pairs = [recorded(made) for made in faint]
    alone = [locate([pair], described(faint[0])) for pair in pairs]
    assert sum(found.position is None for found in alone) >= 4
    together = locate(pairs, described(faint[0]))
    assert together.position is not None
    assert together.position.most[0] <= 30.0 <= together.position.most[1]


def test_repeats_of_background_stay_background() -> None:
    quiet = [case(seed, kind="background") for seed in range(20, 26)]
    found = locate([recorded(made) for made in quiet], described(quiet[0]))
    assert found.refusal is not None
    assert found.refusal.reason == "coherence"


def test_a_knock_in_one_recording_does_not_hide_the_leak() -> None:
    made = case(15, position=25.0)
    recording = recorded(made)
    knocked = recording.a.copy()
    knocked[20000:20400] += np.random.default_rng(1).normal(0, 50 * np.std(knocked), 400)
    found = locate([replace(recording, a=knocked)], described(made)).position
    assert found is not None
    assert found.most[0] <= 25.0 <= found.most[1]


def test_a_loud_tone_digital_silence_and_clipping_give_an_answer() -> None:
    made = case(16)
    quiet = recorded(case(16, kind="background"))
    loud = 300 * np.std(quiet.a) * np.sin(2 * np.pi * 437 * np.arange(len(quiet.a)) / made.rate)
    assert reason(made, replace(quiet, a=quiet.a + loud, b=quiet.b + np.roll(loud, 100))) == "coherence"
    half = recorded(case(2, position=40.0))
    empty = half.a.copy()
    empty[: len(empty) // 3] = 0
    clipped = np.clip(half.b, -np.std(half.b), np.std(half.b))
    found = locate([replace(half, a=empty, b=clipped)], described(case(2))).position
    assert found is not None
    assert found.most[0] <= 40.0 <= found.most[1]


@pytest.mark.parametrize("material", ["steel", "pvc"])
@pytest.mark.parametrize("full_scale", [None, 3000])
@pytest.mark.parametrize("clock", [Clock(), Clock(0.001, 50)])
def test_tones_without_any_noise_are_no_source(material: str, full_scale: int | None, clock: Clock) -> None:
    made = case(1, material)
    t = np.arange(20 * made.rate) / made.rate
    tones = (np.sin(2 * np.pi * 437.3 * t), np.sin(2 * np.pi * 437.3 * t + 1))
    swelling = tuple((1 + 0.5 * np.sin(3 * t)) * tone for tone in tones)
    for pair in (tones, swelling):
        a, b = (np.round(full_scale * tone) / 32768 if full_scale else tone for tone in pair)  # as 16 bits hold it
        assert reason(made, Recording(a, b, made.rate, clock)) == "coherence"
