import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from leakear.convert import cli, convert
from leakear.convert.quantising.flatbuffer import LogitScale
from leakear.convert.verifying import alerts, gate
from leakear.edge.audio.blocks import Block
from leakear.edge.model import bundle
from leakear.edge.model.tflite import FACTORY
from tests.support import other_rate
from tests.support.small_network import Capture, network, write_run


def test_a_shifted_networks_threshold_is_shifted_too() -> None:
    floating = np.random.default_rng(0).normal(0, 3, 400)
    quantised = floating + 0.7
    fitted = gate.refit(floating, quantised, 0.5)
    assert ((quantised >= fitted) == (floating >= 0.5)).all()
    assert fitted == pytest.approx(1.2, abs=0.1)


def test_an_equal_network_keeps_its_threshold() -> None:
    floating = np.random.default_rng(0).normal(0, 3, 400)
    assert gate.refit(floating, floating, 0.5) == 0.5


def test_with_few_windows_the_median_shift_sets_the_threshold() -> None:
    """No window lies near the threshold, so any candidate agrees: the one that follows the shift is right."""
    floating = np.array([-4.0, -3.0, 3.0, 4.0])
    assert gate.refit(floating, floating + 0.7, 0.0) == pytest.approx(0.7)


def test_a_threshold_lies_between_two_integer_steps() -> None:
    scale = LogitScale(step=0.25, zero_point=3, steps=256)
    assert scale.between(1.01) == 1.125
    assert (scale.low, scale.high) == (-131 * 0.25, 124 * 0.25)


def test_a_missed_limit_is_reported_with_margin_and_remedy() -> None:
    verdict = gate.Verdict(windows=100, agreement=0.97, flips=3, probability=0.1, auc_drop=0.02, event_agreement=0.5)
    found = gate.shortfalls(verdict, gate.Limits())
    assert len(found) == 3
    assert "0.0200, the limit is 0.005, missed by 0.0150" in found[0]
    assert "0.9700, the limit is 0.99, missed by 0.0200" in found[1]
    assert "--mode int16x8" in found[1]
    assert "--event-agreement" in found[2]


def test_a_value_equal_to_the_limit_passes() -> None:
    assert not gate.shortfalls(gate.Verdict(windows=100, agreement=0.99, flips=1, probability=0.25), gate.Limits())


def test_disagreement_and_worst_difference_are_counted() -> None:
    floating, quantised = np.array([-3.0, -0.1, 0.1, 3.0]), np.array([-3.0, 0.2, 0.1, 3.0])
    verdict = gate.judge(floating, quantised, (0.0, 0.0), 1.0)
    assert (verdict.flips, verdict.agreement) == (1, 0.75)
    assert verdict.probability == pytest.approx(0.0748, abs=1e-3)


def test_a_refused_conversion_writes_no_file_and_gives_the_reason(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.tflite"
    assert (
        cli.main([str(run_folder), "-o", str(out), "--calibration-windows", "20", "--probability", "0", "--tries", "1"])
        == 78
    )
    said = capsys.readouterr().err
    assert "refused, no file written" in said
    assert "the limit is 0, missed by" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("parameters", "mode", "seeds"), [(1000, "int8", 3), (10**8, "int8", 1), (1000, "float32", 1)])
def test_small_networks_are_tried_with_other_calibration_sets(
    monkeypatch: pytest.MonkeyPatch, parameters: int, mode: str, seeds: int
) -> None:
    """The third set meets the limits; large networks and modes without a set get one try."""
    tried: list[int] = []

    def attempt(_: object, options: convert.Options) -> SimpleNamespace:
        tried.append(options.seed)
        return SimpleNamespace(shortfalls=["short"] * (options.seed < 44), verdict=SimpleNamespace(agreement=0.9))

    monkeypatch.setattr(convert, "attempt", attempt)
    source = SimpleNamespace(network=SimpleNamespace(count_params=lambda: parameters))
    convert.convert(source, convert.Options(mode=mode))  # type: ignore[arg-type]
    assert tried == [42, 43, 44][:seeds]


def test_swapped_labels_are_refused(tmp_path: Path, capsys: Capture) -> None:
    """The notebook's encoder sorts Leak before NoLeak: taken as it is, every alert would be inverted."""
    folder = write_run(tmp_path / "run", network(ending="sigmoid-noleak"))
    assert cli.main([str(folder), "-o", str(tmp_path / "out.tflite"), "--calibration-windows", "20"]) == 78
    assert "its labels are swapped" in capsys.readouterr().err
    assert not (tmp_path / "out.tflite").exists()


def test_the_report_equals_the_description_in_the_file(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.tflite"
    arguments = [str(run_folder), "-o", str(out), "--json", "--report", str(tmp_path / "report"), "--name", "pit"]
    assert cli.main(arguments) == 0
    report, info = json.loads(capsys.readouterr().out), bundle.read(out).info.raw
    assert report["model"] == info["model"]
    assert info["model"]["id"] == f"pit-{info['flatbuffer']['sha256'][:8]}"
    assert report["bytes"] == out.stat().st_size
    assert report["gate"] == info["metrics"]["conversion"]
    assert {row["decides_otherwise"] for row in report["runtimes"]} in ({0}, {0, None})
    assert info["temperature"] == 1.5
    assert info["decision"]["on_fraction"] == 0.8
    assert abs(info["decision"]["threshold"] - 0.6) < 0.1
    assert info["attribution"] == ["synthetic"]
    assert info["conversion"]["calibration"]["sites"] == 6
    text = (tmp_path / "report" / "report.txt").read_text()
    assert "AUC on 40 of the 43 held-out windows, equally many of each class, " in text, "fit counts all of them"
    layers = json.loads((tmp_path / "report" / "report.json").read_text())["layers"]
    assert len(layers) >= 4
    assert all(layer["sqnr_db"] > 5 for layer in layers)
    assert (tmp_path / "report" / "layers.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_inputs_give_the_same_bytes(
    run_folder: Path, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "again.tflite"
    assert cli.main([str(run_folder), "-o", str(again), "--calibration-windows", "60"]) == 0
    assert again.read_bytes() == converted.read_bytes()
    assert bundle.read(again).info.raw["model"]["created"] == "2026-11-22T00:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert cli.main([str(run_folder), "-o", str(again), "--calibration-windows", "60"]) == 0
    assert bundle.read(again).info.raw["model"]["created"] == "1970-01-02T00:00:00Z"


def test_alerts_within_half_an_hour_are_the_same_one() -> None:
    assert alerts.shared([0, 50_000], [1000, 60_000]) == 1
    assert alerts.shared([0, 100], [50]) == 1
    assert alerts.Alerts(2, 2, 1).agreement == 0.5
    assert alerts.Alerts(0, 0, 0).agreement is None, "no alert compares nothing"


@pytest.fixture(scope="module")
def deaf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The factory model with a threshold that no sound reaches."""
    loaded = bundle.read(FACTORY)
    decision = {**loaded.info.decision, "threshold": 0.999999}
    file = tmp_path_factory.mktemp("deaf") / "deaf.tflite"
    described = {**loaded.info.raw, "decision": decision}
    file.write_bytes(bundle.assemble(loaded.flatbuffer, described, loaded.golden_inputs, loaded.golden_logits))
    return file


@pytest.mark.slow
def test_simulated_days_compare_the_alerts_of_both_networks(deaf: Path, capsys: Capture) -> None:
    """Three days of 8 hours through the daemon's code, one with a leak that is heard: by both, or by one alone."""
    days = alerts.Days(3, hours=8.0, step_s=60.0)
    same = alerts.over_days(FACTORY, FACTORY, days)
    assert same.floating >= 1
    assert same.floating == same.converted == same.together
    assert same.agreement == 1.0
    assert "3 of 3 days" in capsys.readouterr().err
    missed = alerts.over_days(FACTORY, deaf, days)
    assert missed == alerts.Alerts(same.floating, 0, 0, false_floating=same.false_floating)
    verdict = gate.Verdict(100, 1.0, 0, 0.0, event_agreement=missed.agreement)
    (said,) = gate.shortfalls(verdict, gate.Limits())
    assert "over the simulated node-days: 0.0000, the limit is 0.95" in said


@pytest.mark.slow
def test_node_days_are_in_report_and_file(run_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out.tflite"
    days = ["--nodedays", "2", "--nodeday-hours", "1", "--nodeday-step", "60", "--event-agreement", "0"]
    assert cli.main([str(run_folder), "-o", str(out), "--calibration-windows", "60", *days]) == 0
    said = capsys.readouterr()
    assert "0.0833333 simulated node-days, a window every 60 s" in said.out
    assert "2 of 2 days" in said.err
    recorded = bundle.read(out).info.raw["metrics"]["conversion"]
    assert recorded["node_days"] == pytest.approx(1 / 12, abs=1e-5)
    assert recorded["node_day_step_s"] == 60
    assert {"alerts_float", "alerts", "false_alerts_float", "false_alerts"} <= set(recorded)


def test_simulated_days_are_heard_at_the_rate_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, heard = other_rate.write(tmp_path / "other.tflite"), []

    def record(blocks: Iterable[Block], _pipeline: object) -> None:
        heard.append(sum(len(block.samples) for block in blocks))
        raise InterruptedError

    monkeypatch.setattr("leakear.train.nodedays.recorded_day.record", record)
    with pytest.raises(InterruptedError):
        alerts.day_alerts(model, model, alerts.Days(1, hours=0.02, step_s=10.0), 1)
    assert heard[0] == pytest.approx(72 * other_rate.RATE, rel=0.05)


def test_alerts_on_days_without_a_leak_are_false() -> None:
    days = [alerts.count([0.0, 9000.0], [600.0], leak=True), alerts.count([5.0], [10.0, 20000.0], leak=False)]
    assert days[0] + days[1] == alerts.Alerts(3, 3, 2, false_floating=1, false_converted=2)
