"""A sample becomes an alert: the whole chain, pure, with a stand-in scorer that hears loudness."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.errors import ConfigError
from leakear.edge.health.monitor import HealthOptions
from leakear.edge.model.tflite import FACTORY, Model
from leakear.edge.pipeline import Pipeline
from leakear.edge.spectrogram import Decibels, SpectrogramSpec, spectrogram
from leakear.edge.windows import WindowOptions

SPEC = SpectrogramSpec(reference="full-scale", band_hz=(20, 1800))
RULE = DecisionRule(span_s=60, confirm_s=30, clear_s=30, noisy_s=60)
RNG = np.random.default_rng(3)


class Loudness:
    """P(leak) is 1 above a mean of -85 dB in the spectrogram."""

    def score(self, spectrogram: Decibels) -> float:
        return float(spectrogram.mean() > -85)


def pipeline(step_s: float = 10) -> Pipeline:
    return Pipeline(Loudness(), SPEC, RULE, WindowOptions(step_s=step_s))


def sound(start: int, seconds: float, level: float) -> Block:
    samples = (level * RNG.standard_normal(round(seconds * 22050))).astype(np.float32)
    return Block(start, samples, 1000 + start / 22050, start / 22050)


def feed(node: Pipeline, start: int, minutes: float, level: float) -> tuple[int, list[str]]:
    states = []
    for _ in range(round(minutes * 6)):
        for result in node.push(sound(start, 10, level)):
            states += [result.transition.target.value] if result.transition else []
        start += 220500
    return start, states


def test_quiet_leak_quiet() -> None:
    node = pipeline()
    at, first = feed(node, 0, 2, 0.0003)
    at, second = feed(node, at, 4, 0.03)
    at, third = feed(node, at, 2, 0.0003)
    assert first + second + third == ["WARNING", "LEAK", "OK"]
    assert node.scored == node.windower.produced == 48


def test_a_faulty_window_gets_no_score_and_counts() -> None:
    node = pipeline()
    block = sound(0, 10, 0.03)
    block.samples[500:5000] = np.nan
    (result,) = node.push(block)
    assert result.score is None
    assert (node.scored, node.discarded, node.windower.produced) == (0, 1, 1)
    (result,) = node.push(replace(block, start=220500, monotonic=10))
    assert (result.state, result.faults) == ("SENSOR_FAULT", ("nan",))
    (result,) = node.push(sound(441000, 10, 0.0003))
    assert (result.state, result.faults) == ("OK", ())


def test_a_knock_is_no_event_and_no_second_leak() -> None:
    for step_s in (10, 1):
        node = pipeline(step_s)
        at, states = feed(node, 0, 2, 0.03)
        assert states == ["WARNING", "LEAK"]
        for _ in range(3):
            knock = sound(at, 10, 0.03)
            knock.samples[:3000] = 1
            faults = {name for result in node.push(knock) for name in result.faults}
            assert faults == set()
            at, states = feed(node, at + 220500, 1 / 3, 0.03)
            assert states == []
        assert node.decision.state == "LEAK"


def test_a_lost_window_does_not_end_a_fault() -> None:
    node = pipeline()
    at, told = 0, []
    for _ in range(4):
        for start, seconds in ((at, 20), (at + 441000, 5)):  # then an overrun
            block = Block(start, np.zeros(round(seconds * 22050), np.float32), start / 22050, start / 22050)
            told += [result.faults for result in node.push(block)]
        at += 600000
    assert set(told[1:]) == {("digital_silence",)}
    assert told[0] == ()
    again = pipeline()
    again.restore(node.snapshot(), at / 22050, 0)
    (result,) = again.push(Block(0, np.zeros(220500, np.float32), at / 22050, at / 22050))
    assert (result.state, result.faults) == ("SENSOR_FAULT", ("digital_silence",)), "nor does a restart"


def test_too_few_scored_windows_are_a_fault_in_any_state() -> None:
    node = pipeline()
    at, states = feed(node, 0, 7 / 6, 0.03)
    assert states == ["WARNING"]
    told = []
    for _ in range(40):  # each window is broken by an overrun
        told += [result.faults for result in node.push(sound(at, 9, 0.03))]
        at += 10 * 22050
    assert node.decision.state == "WARNING"
    assert told[-1] == ("not_judged",)
    assert feed(node, at + 1, 2, 0.0003)[1] == ["NOISY", "OK"], "its WARNING was too long ago"
    assert not node.decision.too_few_counted


@pytest.mark.parametrize("nonsense", [np.nan, np.inf, -np.inf, 1.5])
def test_a_score_that_is_no_probability_is_a_fault(nonsense: float) -> None:
    node = pipeline()
    at, states = feed(node, 0, 2, 0.03)
    assert states == ["WARNING", "LEAK"]
    node.model = SimpleNamespace(score=lambda _: nonsense)
    (once,) = node.push(sound(at, 10, 0.03))
    (result,) = node.push(sound(at + 220500, 10, 0.03))
    assert once.score is None
    assert (result.score, result.faults, result.state) == (None, ("no_score",), "SENSOR_FAULT")
    assert (node.scored, node.discarded) == (12, 2)
    node.model = Loudness()
    (result,) = node.push(sound(at + 441000, 10, 0.03))
    assert result.state == "LEAK"
    assert result.transition is not None
    assert (result.transition.again, result.transition.reason) == (True, "SENSOR_FAULT ended; LEAK as last heard")


def test_an_infinite_logit_is_not_a_sure_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model.load(FACTORY)
    for logit in (np.inf, -np.inf, np.nan):
        monkeypatch.setattr(Model, "logit", lambda *_, logit=logit: logit)
        assert np.isnan(model.score(np.zeros(1, np.float32)))


def test_a_gap_is_discarded_and_counted() -> None:
    node = pipeline()
    assert not list(node.push(sound(0, 5, 0.0003)))
    results = list(node.push(sound(5 * 22050 + 7, 12, 0.0003)))
    assert [r.score for r in results] == [None, 0.0]
    assert node.windower.produced == node.scored + node.discarded + node.windower.dropped == 2


def test_a_sensor_fault_is_shown_at_once_and_ends_with_sound() -> None:
    node = pipeline()
    (result,) = node.push(SensorFault("no_frames", "nothing comes", 12.0, 1012.0))
    assert (result.state, result.faults) == ("SENSOR_FAULT", ("no_frames",))
    (result,) = node.push(sound(0, 10, 0.0003))
    assert result.transition is not None
    assert result.state == "OK"


def test_overlapping_windows_score_like_single_ones() -> None:
    stream = (0.01 * RNG.standard_normal(22050 * 25)).astype(np.float32)
    seen: list[Decibels] = []

    class Recorder(Loudness):
        def score(self, spectrogram: Decibels) -> float:
            seen.append(spectrogram.copy())
            return super().score(spectrogram)

    node = Pipeline(Recorder(), SPEC, DecisionRule(), WindowOptions(step_s=1))
    for start in range(0, len(stream), 4410):
        block = Block(start, stream[start : start + 4410], 0, start / 22050)
        list(node.push(block))
    assert len(seen) == 16
    for number, heard in enumerate(seen):
        window = stream[number * 22016 : number * 22016 + 220500]
        np.testing.assert_allclose(heard, spectrogram(window, SPEC), atol=1e-4)


def test_a_window_with_a_fault_is_not_joined_to_the_next_spectrogram() -> None:
    seen: list[Decibels] = []

    class Recorder(Loudness):
        def score(self, spectrogram: Decibels) -> float:
            seen.append(spectrogram.copy())
            return super().score(spectrogram)

    node = Pipeline(Recorder(), SPEC, RULE, WindowOptions(step_s=5))
    step = node.windower.step_samples
    stream = (0.01 * RNG.standard_normal(220500 + 4 * step)).astype(np.float32)
    stream[10] = np.nan  # in the first window alone
    for result in node.push(Block(0, stream, 0.0, 0.0)):
        assert result.window is not None
        if result.score is not None:
            np.testing.assert_allclose(seen[-1], spectrogram(result.window.samples, SPEC), atol=1e-4)
    assert (len(seen), node.scored, node.faulty) == (4, 4, 1)


def test_a_result_has_the_times_of_its_window() -> None:
    node = pipeline()
    (result,) = node.push(sound(0, 10, 0.0003))
    assert (result.start_utc, result.end_utc, result.end_monotonic) == (1000, 1010, 10)
    assert list(node.push(sound(10 * 22050, 4, 0.0003))) == []
    lost, _ = node.push(sound(15 * 22050, 10, 0.0003))
    assert (lost.start_utc, lost.end_utc, lost.end_monotonic) == (1005, 1015, 15)
    (fault,) = node.push(SensorFault("no_frames", "nothing comes", 42.0, 1042.0))
    assert (fault.start_utc, fault.end_utc, fault.end_monotonic) == (1042, 1042, 42)
    assert fault.sensor_fault == "no_frames"


def test_a_window_that_only_clips_is_trusted_as_the_rule_does() -> None:
    (clipped,) = pipeline().push(sound(0, 10, 0.9))
    assert clipped.health is not None
    assert clipped.health.faults == ("clipping",)
    assert clipped.trusted == (clipped.score, clipped.health.l05)


def test_only_a_window_without_another_fault_is_trusted() -> None:
    node = pipeline()
    (good,) = node.push(sound(0, 10, 0.0003))
    assert good.health is not None
    assert good.trusted == (0.0, good.health.l05)
    bad = sound(220500, 10, 0.0003)
    bad.samples[7] = np.nan
    assert [result.trusted for result in node.push(bad)] == [(None, None)]
    (fault,) = node.push(SensorFault("no_frames", "nothing comes", 42.0, 1042.0))
    assert fault.trusted == (None, None)


def test_another_pipeline_takes_over_judgement_and_counters() -> None:
    first, second = pipeline(), pipeline(5)
    at, _ = feed(first, 0, 4, 0.03)
    broken = sound(at, 10, 0.03)
    broken.samples[7] = np.nan
    list(first.push(broken))
    list(first.push(sound(at + 220500, 5, 0.03)))
    list(first.push(sound(at + 400000, 10, 0.03)))  # after a gap
    second.take_over(first, 300.0)
    counts = (second.scored, second.faulty, second.windower.produced, second.windower.discarded, second.discarded)
    assert counts == (25, 1, 27, 1, 2)
    assert second.decision.state == "LEAK"
    second.new_recording(0)
    assert [r.score for r in second.push(sound(0, 10, 0.03))] == [1.0], "the lost windows before are not lost again"


@pytest.mark.parametrize("name", ["learn_anew", "accept_floor"])
def test_what_a_person_states_reaches_the_judge(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    node, asked = pipeline(), []
    monkeypatch.setattr(node.judge, name, lambda: asked.append(name))
    getattr(node, name)()
    assert asked == [name]


def test_the_parts_of_the_judge_are_those_of_the_pipeline() -> None:
    node = pipeline()
    assert node.decision is node.judge.decision
    assert node.health is node.judge.health
    assert node.background is node.judge.background


def test_a_snapshot_continues() -> None:
    first, second = pipeline(), pipeline()
    feed(first, 0, 4, 0.03)
    second.restore(first.snapshot(), 240, 0)
    assert second.decision.state == first.decision.state == "LEAK"


def test_an_impossible_combination_is_refused() -> None:
    with pytest.raises(ConfigError, match="span_s"):
        Pipeline(Loudness(), SPEC, RULE, WindowOptions(step_s=30))


def loud_day(node: Pipeline) -> int:
    """Hear ten seconds of a loud machine each hour for a day and a half; return where the sound goes on."""
    at = 0
    for _ in range(36):
        feed(node, at, 1 / 6, 0.2)
        at += 3600 * 22050
    return at


def test_a_leak_far_quieter_than_a_stopped_machine_is_found() -> None:
    node = pipeline()
    at = loud_day(node)
    at, entered = feed(node, at, 4, 0.03)
    assert entered == ["SENSOR_FAULT", "WARNING", "LEAK"]
    at, entered = feed(node, at, 4, 0.0003)
    assert entered == ["SENSOR_FAULT"], "its quiet has low confidence"
    node.accept_floor()
    assert feed(node, at, 2, 0.0003)[1] == ["LEAK", "OK"]


def test_a_floor_accepted_in_the_configuration_drops_the_saved_one() -> None:
    node = pipeline()
    at = loud_day(node)
    assert feed(node, at, 1, 0.0003)[1] == ["SENSOR_FAULT"]
    again = Pipeline(Loudness(), SPEC, RULE, WindowOptions(step_s=10), HealthOptions(accepted="today"))
    again.restore(node.snapshot(), at / 22050 + 60, 0)
    assert feed(again, 0, 1, 0.0003)[1] == ["OK"]


def test_a_long_leak_does_not_join_the_noise_floor() -> None:
    node = pipeline()
    at, entered = feed(node, 0, 3, 0.03)
    assert entered == ["WARNING", "LEAK"]
    for _ in range(36):
        feed(node, at, 1 / 6, 0.03)
        at += 3600 * 22050
    assert feed(node, at, 2, 0.0003)[1] == ["OK"], "without the fault floor_drift"
