"""simulate and evaluate: folders that every other command reads."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.windows import WindowOptions
from leakear.train.cli import main
from leakear.train.cli.model import evaluate
from leakear.train.cli.simulate import SiteOptions, simulate
from leakear.train.data import dataset
from leakear.train.data.dataset import Recording
from leakear.train.data.repeated import repeated
from tests.support.level_scorer import SPEC, LevelScorer


@pytest.fixture
def wanted(tmp_path: Path) -> SiteOptions:
    return SiteOptions(tmp_path / "sim", clips=2, seconds=2.0, folds=2, use=0.5, days=1, store=False)


def test_training_reads_the_manifest_of_simulated_clips(wanted: SiteOptions) -> None:
    rows = simulate(wanted, range(3))
    recordings = dataset.load(wanted.out)
    assert len(rows) == len(recordings) == 6
    assert {r.site for r in recordings} == {"sim-000000", "sim-000001", "sim-000002"}
    assert {r.fold for r in recordings} == {0, 1}
    for row in rows:
        path = wanted.out / row["path"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        assert soundfile.info(path).frames == 44100
    truth = json.loads((wanted.out / "days" / "sim-000001-0.json").read_text())
    assert any(event["kind"] == "leak" for event in truth["events"])


def test_equal_seeds_give_equal_files_in_any_number_of_processes(wanted: SiteOptions, tmp_path: Path) -> None:
    one = simulate(wanted, range(2), jobs=1)
    two = simulate(SiteOptions(tmp_path / "other", 2, 2.0, 2, 0.5, 0, store=False), range(2), jobs=2)
    assert one == two


def test_the_command_writes_clips_and_refuses_wrong_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(tmp_path / "s"), "--sites", "1", "--clips", "2", "--seconds", "1"]) == 0
    assert "2 clips of 1 sites" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", str(tmp_path / "s"), "--seconds", "0"])
    assert "--seconds" in capsys.readouterr().err


def _recording(path: Path, dbfs: float) -> Recording:
    noise = np.random.default_rng(1).standard_normal(22050 * 4)
    soundfile.write(path, noise * 10 ** (dbfs / 20) / np.sqrt(2), 22050)
    return Recording(path, "Leak", path.name)


def test_a_looped_recording_is_decided_over_time(tmp_path: Path) -> None:
    rule, window = DecisionRule(span_s=600, confirm_s=300, clear_s=300), WindowOptions(step_s=10)
    loud = evaluate.alerts_of(_recording(tmp_path / "loud.wav", -25), LevelScorer(), SPEC, rule, window, 20)
    quiet = evaluate.alerts_of(_recording(tmp_path / "quiet.wav", -70), LevelScorer(), SPEC, rule, window, 20)
    assert (loud.warnings, loud.alarms) == (1, 1)
    assert (quiet.warnings, quiet.alarms) == (0, 0)
    assert loud.hours == pytest.approx(1 / 3, abs=0.01)
    summary = evaluate.summarise([loud, quiet])
    assert summary["found"] == 1
    assert summary["leaks"] == 2


def test_a_looped_recording_is_cross_faded(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 100.3 * np.arange(22050 * 3) / 22050), 22050)
    samples = np.concatenate([b.samples for b in repeated(path, SPEC, 10.0)])
    assert samples.size == 220500
    assert np.abs(np.diff(samples)).max() < 0.05
