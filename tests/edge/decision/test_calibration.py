"""Calibration: a threshold that keeps its budget; unusable hours are refused."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.edge.cli import main
from leakear.edge.cli.calibrate import apply
from leakear.edge.decision.calibration import (
    BLOCK_S,
    Baseline,
    CalibrationRefused,
    Proposal,
    _blocks_of,
    gamma_tenth,
    propose,
)
from leakear.edge.errors import ConfigError
from leakear.edge.model.tflite import sigmoid
from leakear.edge.settings import Settings
from tests.support.places import TINY


def night(seed: int, hours: float = 8, mean: float = -4.0, spread: float = 1.0) -> Baseline:
    """Quiet: log-odds scatter from window to window and wander from block to block."""
    rng = np.random.default_rng(seed)
    blocks = round(hours * 3600 / BLOCK_S)
    logits = rng.normal(mean, spread, (blocks, 30)) + rng.normal(0, 0.5, (blocks, 1))
    baseline = Baseline(10.0)
    for logit, level in zip(logits.flat, rng.normal(-60, 1, logits.size), strict=True):
        baseline.add(sigmoid(logit), level)
    return baseline


def chosen(baseline: Baseline, budget: float = 1.0, **others: object) -> Proposal:
    given = {"on_fraction": 0.9, "span_s": 1800.0, "model_threshold": 0.05, "false_alarms_per_week": budget}
    return propose(baseline, **(given | others))  # type: ignore[arg-type]


def alarms_per_week(threshold: float, seeds: range) -> float:
    """Half hours of new nights of which 90 % of the windows reach the threshold, per week."""
    level = math.log(threshold / (1 - threshold))
    spans = np.concatenate([np.array(night(seed).logits).reshape(-1, 180) for seed in seeds])
    return float(((spans >= level).mean(axis=1) >= 0.9).mean()) * 7 * 86400 / 1800


def test_the_budget_holds_on_other_nights() -> None:
    kept = [alarms_per_week(chosen(night(seed)).threshold, range(100, 115)) <= 1 for seed in range(10)]
    assert sum(kept) >= 8  # stated with 90 % confidence


def test_a_smaller_budget_asks_for_a_higher_threshold() -> None:
    thresholds = [chosen(night(1), budget).threshold for budget in (10, 1, 0.1)]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] < thresholds[2]


def test_a_threshold_moves_both_ways_from_that_of_the_model() -> None:
    """A quiet site may be more sensitive than the model, at least by half; a loud one is less."""
    assert chosen(night(1, mean=-3), model_threshold=0.9).threshold == pytest.approx(0.65, abs=0.2)
    assert chosen(night(1, mean=-12), model_threshold=0.9).threshold == 0.45
    assert chosen(night(1, mean=-0.5, spread=0.1), model_threshold=0.5).threshold > 0.55


def test_a_use_of_water_in_the_night_does_not_hinder_a_calibration() -> None:
    """Ten minutes of water twice: 4 of 96 blocks, but no span of half an hour."""
    night_with_uses = night(1)
    for start in (600, 2000):
        night_with_uses.logits[start : start + 60] = [6.0] * 60
    assert chosen(night_with_uses).threshold == pytest.approx(chosen(night(1)).threshold, abs=0.1)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 50, 400, 4000])
def test_the_bound_is_that_of_the_gamma_distribution(n: int) -> None:
    from scipy.special import gammaincinv

    assert gamma_tenth(n) == pytest.approx(float(gammaincinv(n, 0.1)), rel=1e-9)


def test_calibration_does_not_load_scipy_special() -> None:
    code = (
        "import sys; from leakear.edge.decision.calibration import gamma_tenth; gamma_tenth(9); "
        "sys.exit('scipy.special' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_gate_lies_at_the_top_of_the_quiet_levels() -> None:
    assert chosen(night(1), gated=True).level_gate_dbfs == pytest.approx(-60 + 1.645, abs=0.3)


def test_a_model_that_hears_no_level_gets_no_gate_and_any_level_may_vary() -> None:
    assert chosen(unsteady()).level_gate_dbfs is None


def test_a_proposal_describes_the_hours_it_was_made_from() -> None:
    proposal = chosen(night(1), 2.0)
    assert (proposal.hours, proposal.false_alarms_per_week) == (8, 2)
    assert proposal.quiet_score == pytest.approx(sigmoid(-4.0), abs=0.003)
    assert proposal.quiet_level_dbfs == pytest.approx(-60, abs=0.1)
    assert proposal.reason == (
        "92 medians of 5 blocks of 300 s, 19 in the tail: at most 2 false alarms a week with 90% confidence, "
        "if the coming weeks sound like these hours (the model's own threshold is 0.05)"
    )


TAIL_START = -3 - 0.5 * math.log(1 - 0.797)
"""Log-odds above which 20 of the blocks of `exponential_limit` are, on average by 0.5."""


def exponential_limit(budget: float) -> float:
    """Log-odds chosen for a hundred blocks of one score each, with an exponential tail of scale 0.5."""
    values = -3 - 0.5 * np.log(1 - (np.arange(100) + 0.5) / 100)
    logits = np.repeat(np.random.default_rng(1).permutation(values), 30)
    baseline = Baseline(10.0, logits=logits.tolist(), levels=[-60.0] * logits.size)
    threshold = chosen(baseline, budget, span_s=300.0, accept_leak_like=True).threshold
    return math.log(threshold / (1 - threshold))


def test_the_threshold_is_the_upper_bound_of_an_exponential_tail() -> None:
    bound = TAIL_START + 20 * 0.5 / gamma_tenth(20) * math.log(0.2 * 7 * 86400 / BLOCK_S)
    assert exponential_limit(1.0) == pytest.approx(bound, abs=0.2)


def test_a_budget_beyond_the_tail_asks_for_no_less_than_its_start() -> None:
    assert exponential_limit(1500.0) == pytest.approx(TAIL_START, abs=0.02)


def test_a_threshold_that_is_kept_up_says_so() -> None:
    assert chosen(night(1, mean=-12), model_threshold=0.5).reason.endswith("threshold is 0.50, no lower)")


def test_four_hours_are_enough_and_a_quarter_may_be_unusable() -> None:
    baseline = night(1, hours=4)
    for _ in range(len(baseline.logits) // 3):
        baseline.add(None, None)
    assert chosen(baseline).hours == 4


def test_a_window_needs_score_and_level_and_every_score_is_finite() -> None:
    baseline = Baseline(10.0)
    for score, level in ((0.5, None), (None, -60.0), (0.0, -60.0), (1.0, -50.0), (0.5, -40.0)):
        baseline.add(score, level)
    assert (baseline.unusable, baseline.levels, baseline.heard_s) == (2, [-60.0, -50.0, -40.0], 30)
    assert baseline.logits == [pytest.approx(-20.7, abs=0.1), pytest.approx(20.7, abs=0.1), pytest.approx(0)]


def test_equal_scores_give_their_own_score_as_the_limit() -> None:
    baseline = Baseline(10.0, logits=[-1.0] * 1440, levels=[-60.0] * 1440)
    proposal = chosen(baseline, model_threshold=0.9)
    assert (proposal.threshold, proposal.reason.split(":")[0]) == (
        0.45,
        "44 medians of 5 blocks of 300 s, 0 in the tail",
    )
    assert chosen(baseline, accept_leak_like=True).threshold == pytest.approx(sigmoid(-1.0), abs=1e-4)


def faulty() -> Baseline:
    baseline = night(1)
    for _ in range(1200):
        baseline.add(None, None)
    return baseline


def begun() -> Baseline:
    """A leak began after five of eight hours."""
    baseline = night(1, hours=5, mean=-12)
    later = night(2, hours=3, mean=3)
    baseline.logits += later.logits
    baseline.levels += later.levels
    return baseline


def unsteady() -> Baseline:
    baseline = night(1)
    baseline.levels = [-60 + 40 * (i % 20 == 0) for i in range(len(baseline.levels))]
    return baseline


def spiky() -> Baseline:
    baseline = night(1, hours=16)
    for i in range(300, 500):
        baseline.logits[i] = 9.0
    return baseline


@pytest.mark.parametrize(
    ("baseline", "sentence"),
    [
        (night(1, hours=3.9), "only 3.9 quiet hours"),
        (faulty(), "29% of the windows could not be judged"),
        (night(1, mean=0.0), "sound like a leak already"),
        (begun(), "or a third of them, sound like a leak"),
        (unsteady(), "unstable"),
        (spiky(), "nothing runs for long"),
    ],
)
def test_unusable_hours_are_refused(baseline: Baseline, sentence: str) -> None:
    with pytest.raises(CalibrationRefused, match=sentence):
        chosen(baseline, gated=True)


def test_a_steady_sound_is_accepted_only_when_a_person_states_it() -> None:
    steady = night(1, mean=0.0)
    assert chosen(steady, accept_leak_like=True).threshold > 0.5


@pytest.mark.parametrize(("span_s", "on_fraction", "expected"), [(1800, 0.9, (5, 0.76)), (600, 0.9, (1, 0.9))])
def test_any_span_that_alarms_has_half_of_its_whole_blocks_on(
    span_s: float, on_fraction: float, expected: tuple[int, float]
) -> None:
    count, share = _blocks_of(span_s, on_fraction)
    assert (count, share) == (expected[0], pytest.approx(expected[1]))


def config(folder: Path) -> Path:
    path = folder / "node.toml"
    path.write_text(
        f"[node]\nsite = 'x'\n[model]\npath = '{TINY}'\n[window]\nstep_s = 60.0\n[decision]\nspan_s = 1800.0\n"
    )
    return path


def test_recordings_become_a_proposal_that_is_applied_only_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path)
    rng = np.random.default_rng(3)
    for number in range(5):  # fifty minutes each
        sound = rng.standard_normal(4096 * 3000) * 2e-4
        soundfile.write(tmp_path / f"quiet-{number}.wav", sound, 4096, subtype="PCM_24")
    files = [str(file) for file in sorted(tmp_path.glob("*.wav"))]
    before = path.read_text()
    assert main(["calibrate", "--config", str(path), "--from", *files]) == 0
    assert path.read_text() == before
    assert "false alarms a week with 90% confidence" in capsys.readouterr().out
    assert main(["calibrate", "--config", str(path), "--apply"]) == 0
    decision = Settings.load(path, {}).decision
    assert decision["level_gate_dbfs"] == pytest.approx(-71, abs=1)
    assert 0 < decision["threshold"] < 1
    assert decision["span_s"] == 1800
    assert (tmp_path / "node.toml.bak").read_text() == before


def test_too_few_recordings_end_with_65(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = config(tmp_path)
    soundfile.write(tmp_path / "short.wav", np.random.default_rng(0).standard_normal(22050 * 30) * 1e-3, 22050)
    assert main(["calibrate", "--config", str(path), "--from", str(tmp_path / "short.wav")]) == 65
    assert "quiet hours were heard" in capsys.readouterr().err


def test_there_is_nothing_to_apply_before_a_proposal(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no proposal here"):
        apply(config(tmp_path), tmp_path / "node.calibration.toml")


def test_a_person_states_that_there_is_no_leak(tmp_path: Path) -> None:
    config = tmp_path / "leakear.toml"
    config.write_text("[decision]\nspan_s = 900 # quiet site\n")
    assert main(["calibrate", "--config", str(config), "--not-a-leak"]) == 0
    decision = Settings.load(config).decision
    assert (decision["span_s"], decision["not_a_leak"] != "") == (900, True)


def test_a_person_accepts_the_present_floor(tmp_path: Path) -> None:
    config = tmp_path / "leakear.toml"
    config.write_text("[health]\nfloor_drop_db = 9 # quiet site\n")
    before = Settings.load(config).health
    assert main(["calibrate", "--config", str(config), "--accept-floor"]) == 0
    after = Settings.load(config).health
    assert (after.floor_drop_db, after.accepted != before.accepted) == (9, True)
