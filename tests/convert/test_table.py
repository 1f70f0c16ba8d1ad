"""The table of docs/results/conversion.md goes on where it stopped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT

BENCH = ROOT / "bench" / "conversion.py"


def table(run: Path, out: Path, *words: str) -> tuple[dict[str, dict[str, object]], str]:
    """Run the command; return its figures and what it said of its work."""
    command = [sys.executable, str(BENCH), f"small={run}", "--out", str(out), "--keep", str(out / "keep")]
    few = ["--windows", "8", "--calibration-windows", "8", *words]
    done = subprocess.run([*command, *few], capture_output=True, text=True, check=True)
    return json.loads((out / "conversion.json").read_text()), done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_finished_rows_are_kept_and_refused_ones_repeated(run_folder: Path, tmp_path: Path) -> None:
    first, said = table(run_folder, tmp_path, "--modes", "float32,no-such-mode")
    assert f"{run_folder} in float32" in said
    row = first["small float32"]
    for kind in ("real", "simulated"):
        assert row[kind]["windows"] == 8  # type: ignore[index]
        assert row[kind]["flips"] == 0  # type: ignore[index]
    assert first["small no-such-mode"]["refused"] == "the converting process ended with status 1"
    page = (tmp_path / "conversion.md").read_text()
    assert "| small float32 | " in page
    assert "| small no-such-mode | not made: the converting process ended with status 1 |" in page
    second, said = table(run_folder, tmp_path, "--modes", "float32,no-such-mode")
    assert "in float32" not in said
    assert "in no-such-mode" in said
    assert second["small float32"] == row
    third, said = table(run_folder, tmp_path, "--modes", "float32", "--windows", "6")
    assert "in float32" in said, "other windows, another row"
    assert third["small float32"]["real"]["windows"] == 6  # type: ignore[index]
    timed, said = table(run_folder, tmp_path, "--modes", "float32", "--windows", "6", "--times")
    assert "in float32" not in said
    assert timed["small float32"]["runtimes"] != third["small float32"]["runtimes"]
