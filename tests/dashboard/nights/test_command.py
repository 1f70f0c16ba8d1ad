"""`leakear-dashboard nights`: a vendor-like file is read, and the loggers that rise come first."""

import json
import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leakear.dashboard import cli
from leakear.dashboard.nights.budget import FAST, SLOW
from leakear.dashboard.nights.rises import RARE, outlooks

FIRST = date(2023, 3, 1)
RISING = {"L0007": (12.0, 70), "L0041": (8.0, 60)}
"""logger → rise and first night of it"""


def vendor_file(tmp_path: Path, loggers: int = 60, nights: int = 90) -> Path:
    """Write a wide table with titles, gaps, text, decimal commas, duplicates and two rises."""
    rng = np.random.default_rng(11)
    days = [(FIRST + timedelta(days=night)).strftime("%d/%m/%Y") for night in range(nights)]
    lines = ["Relatório de níveis mínimos;;", ";;", "Série;Local;" + ";".join(days)]
    for number in range(loggers):
        name = f"L{number:04d}"
        levels = np.round(rng.normal(15, 1.0, nights), 1)
        by, first = RISING.get(name, (0.0, nights))
        levels[first:] += by
        cells = [
            ("n/a" if rng.random() < 0.02 else "" if rng.random() < 0.05 else f"{level:.1f}".replace(".", ","))
            for level in levels
        ]
        lines += [f"{name};Rua São {number};" + ";".join(cells)] * (2 if number % 9 == 0 else 1)
    file = tmp_path / "levels.csv"
    file.write_bytes("\r\n".join(lines).encode("cp1252"))
    return file


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert cli.main(["nights", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_the_loggers_that_rise_come_first_with_the_night_it_began(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, str(vendor_file(tmp_path)))
    rising = [one for one in found["loggers"] if one["rising"]]
    assert [one["logger"] for one in rising] == list(RISING)
    for one in rising:
        by, first = RISING[one["logger"]]
        since = date.fromisoformat(one["rise"]["since"])
        assert abs((since - FIRST).days - first) <= 1
        assert one["rise"]["by"] == pytest.approx(by, abs=1.5)
        assert one["rise"]["false_alarms_per_logger_year"] < 0.5
    assert len(found["loggers"]) == 60


def test_text_and_page_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "rises.html"
    assert cli.main(["nights", str(vendor_file(tmp_path)), "--report", str(page), "--top", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 loggers have a lasting rise (60 loggers, ")
    assert "L0007" in out
    assert "L0041" not in out
    assert "… and 1 more (--top)" in out
    assert "levels that are no number were left out." in err
    html = page.read_text()
    assert "L0041" in html
    assert html.count("<svg") == 2
    assert "2 loggers have a lasting rise" in html


def test_fewer_false_alarms_need_a_surer_rise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "faint.csv"
    rng = np.random.default_rng(5)
    levels = np.round(rng.normal(15, 1.5, 60))
    levels[56:] += 6
    rows = (f"L1,{FIRST + timedelta(days=night)},{level}" for night, level in enumerate(levels))
    file.write_text("logger,date,level\n" + "\n".join(rows))
    rising = [answer(capsys, str(file), "--budget", budget)["loggers"][0]["rising"] for budget in ("30", "3", "0.01")]
    assert rising == sorted(rising, reverse=True)
    assert rising[0]
    assert not rising[-1]


def test_a_missing_file_and_a_wrong_budget_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["nights", str(tmp_path / "none.csv")]) == 1
    assert "none.csv: No such file or directory" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        cli.main(["nights", "x.csv", "--budget", "0"])
    assert ended.value.code == 2
    assert "--budget" in capsys.readouterr().err


def test_help_says_what_a_file_may_be(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["nights", "--help"])
    out = capsys.readouterr().out
    for word in ("long:", "wide:", "--budget", "examples:", "Exit codes:"):
        assert word in out


@pytest.mark.parametrize("costs", [FAST, SLOW])
def test_a_stronger_rise_costs_fewer_false_alarms_and_factor_and_rate_agree(costs: Any) -> None:
    known = np.array([3, 7, 14, 28, 56, 91])
    factors = np.linspace(0.3, 12, 40)
    rates = np.array([costs.rate(np.full(6, factor), known) for factor in factors])
    assert (np.diff(rates, axis=0) < 0).all()
    again = costs.rate(costs.factor(known), known)
    np.testing.assert_allclose(again, costs.budget, rtol=1e-6)


def test_a_rise_that_ended_is_kept_with_its_nights() -> None:
    levels = np.array([[10.0, 11.0, 10.0, 12.0, 10.0] * 6 + [30.0] * 8 + [10.0, 11.0, 10.0, 12.0, 10.0] * 2])
    found = outlooks(levels)[0]
    assert found.now is None
    (rise,) = found.rises
    assert (rise.since, rise.noticed) == (30, 32)
    assert 37 <= rise.last <= 39
    assert rise.false_per_year >= RARE


def test_loggers_with_few_nights_say_nothing() -> None:
    found = outlooks(np.array([[1.0, 50.0, np.nan], [np.nan] * 3]))
    assert [(one.nights, one.false_per_year, one.rises) for one in found] == [(2, None, ()), (0, None, ())]


@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_a_file_without_an_end_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / "pipe"
    if kind == "pipe":
        os.mkfifo(path)
    assert cli.main(["nights", str(path)]) == 65
    assert (
        capsys.readouterr().err == f"leakear-dashboard: {path} is a device or pipe: save it as a file and name that.\n"
    )
