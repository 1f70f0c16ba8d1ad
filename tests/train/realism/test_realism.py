"""Simulated places vary as real ones do, as far as few sites can show; levels without sound are those of sound."""

import json
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from leakear.edge.background.third_octaves import CENTRES_HZ
from leakear.train.cli import main
from leakear.train.realism import dates, nights, table
from leakear.train.realism.expected import ExpectedLevels
from leakear.train.simulator import Site
from leakear.train.simulator.day import Day
from leakear.train.simulator.units import HOP, RATE


@pytest.mark.parametrize("seed", [330002, 330004, 330005])
def test_expected_levels_are_those_of_the_sound(seed: int) -> None:
    day = Day(Site.draw(seed), 0, leak=True, snr_db=5.0)
    assert day.leak is not None
    first, size = int(max(14.5 * 3600, day.leak.start_s + 60) * RATE / HOP), 120
    sound = np.concatenate([day.render(first + k) for k in range(size)]).astype(np.float64)
    power = np.abs(np.fft.rfft(sound)) ** 2 * 4 / sound.size**2
    hz = np.fft.rfftfreq(sound.size, 1 / RATE)
    expected = ExpectedLevels(day).third_octaves((first + np.arange(size)) * HOP / RATE, over_s=0.0)
    mean = 10 * np.log10(np.mean(10 ** (expected / 10), axis=0))
    heard = (2 * day.site.sensor.low_hz < CENTRES_HZ) & (CENTRES_HZ > 150) & (day.site.sensor.high_hz / 2 > CENTRES_HZ)
    for centre, level in zip(CENTRES_HZ[heard], mean[heard], strict=True):
        band = (hz >= centre * 2 ** (-1 / 6)) & (hz < centre * 2 ** (1 / 6))
        assert 10 * np.log10(power[band].sum()) == pytest.approx(level, abs=1.0)


def test_figures_of_nights_are_counted_as_stated() -> None:
    levels = np.array([[10, 10, 10, 14, 10.4, 10] + [10] * 30, [20.0] * 36])
    found = nights.figures(levels)
    assert found.above[0, 0] == pytest.approx(100 / 66)
    assert found.above[0, 3] == pytest.approx(100 / 66)
    assert found.above[0, 4] == 0
    assert found.changes[-1] == 4
    assert not found.runs.any()


def test_nights_change_about_as_those_of_real_loggers() -> None:
    levels = np.stack([nights.simulated(seed, 32) for seed in range(300_000, 300_016)])
    found = nights.figures(levels)
    assert 1 <= found.changes[0] <= 2
    assert 2 <= found.changes[2] <= 8
    assert 9 <= found.above[0, 0] <= 25  # real: 15.2
    assert 2 <= found.above[0, 2] <= 10  # 5.3
    assert 1 <= found.above[2, 0] <= 10  # 5.2


def test_half_hours_rise_above_all_known_ones_about_as_the_real_sensors_do() -> None:
    medians = [float(np.median(dates.half_hours(seed))) for seed in range(320_000, 320_005)]
    assert 0.2 <= np.median(medians) <= 1.2  # real: 0.65


def test_dates_differ_about_as_those_of_real_loggers(shared_data: Path) -> None:
    real = dates.real(shared_data)
    measured = dates.date_figures(real)
    assert len(measured.excess) == 28
    assert int(np.sum(measured.excess >= 0.85)) == 26  # as published
    made = dates.date_figures(dates.simulated(real, count(410_000)))
    assert int(np.sum(made.excess >= 0.85)) >= 18
    assert int(np.sum(made.many >= 2)) >= 8


def test_the_command_prints_real_and_simulated_side_by_side(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--sites",
        "2",
        "--nights",
        "32",
        "--hours",
        "2",
        "--sets",
        "2",
        "--clips",
        "3",
        "--data",
        str(shared_data),
    ]
    assert main(["realism", str(tmp_path / "out"), *arguments]) == 0
    out = capsys.readouterr().out
    assert "nights above all 14 before by > 2 dB, %" in out
    assert "NoLeak: dBmin, 50 % quantile, dBFS" in out
    rows = json.loads((tmp_path / "out" / "realism.json").read_text())
    assert {row["group"] for row in rows} == {"nights", "half-hours", "dates", "halves", "levels"}
    assert (tmp_path / "out" / "realism.png").stat().st_size > 10_000


def test_a_folder_without_the_recordings_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["realism", str(tmp_path / "out"), "--data", str(tmp_path)]) == 65
    assert "give the folder above it as --data" in capsys.readouterr().err


def test_a_row_agrees_where_the_real_figure_lies_in_the_interval() -> None:
    assert table.Row("g", "n", (22, 29), 30.0, (28.0, 35.0)).agrees
    assert not table.Row("g", "n", (1, 1), 3.0, (2.0, 4.0)).agrees
