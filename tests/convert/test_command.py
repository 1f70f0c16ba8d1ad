"""What is refused before any work, and what the terminal shows."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from leakear.convert import cli, progress
from leakear.convert.verifying import runtimes
from leakear.edge import stderr_filter
from leakear.edge.errors import ConfigError, LeakearError
from tests.support.small_network import SPEC, Capture


def early(capsys: Capture, words: list[str], code: int) -> str:
    """Run what must end at once: nothing but one sentence is said, no stage was begun."""
    assert cli.main(words) == code
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    return said[0]


def test_an_unwritable_output_is_refused_before_the_work(run_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    words = [str(run_folder), "-o"]
    assert "there is no folder" in early(capsys, [*words, str(tmp_path / "no" / "m.tflite")], 1)
    assert "is a folder: name a file" in early(capsys, [*words, str(tmp_path)], 1)
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    said = early(capsys, [*words, str(tmp_path / "m.tflite"), "--report", str(blocked / "report")], 1)
    assert f"--report {blocked / 'report'} cannot be written: Not a directory" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_an_invalid_date_is_refused_before_the_work(
    run_folder: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    said = early(capsys, [str(run_folder), "-o", str(tmp_path / "m.tflite")], ConfigError.exit_code)
    assert "SOURCE_DATE_EPOCH is 'yesterday': give whole seconds" in said


@pytest.mark.parametrize(
    "option",
    [
        ("--calibration-windows", "1"),
        ("--tries", "0"),
        ("--nodedays", "-1"),
        ("--nodeday-hours", "25"),
        ("--nodeday-step", "0"),
        ("--agreement", "nan"),
        ("--auc-drop", "1.5"),
        ("--golden-span", "-4"),
        ("--mode", "int4"),
    ],
)
def test_numbers_out_of_range_are_wrong_usage(tmp_path: Path, capsys: Capture, option: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["RUN", "-o", str(tmp_path / "m.tflite"), *option])
    assert end.value.code == 2
    assert f"argument {option[0]}" in capsys.readouterr().err


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 8 KiB."""
    if os.geteuid() != 0:
        pytest.skip("a file system of its own needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(("flatbuffer", "windows"), [(20_000, 0), (10, 1)])
def test_a_full_temporary_disk_gives_one_sentence(
    full_disk: Path, monkeypatch: pytest.MonkeyPatch, flatbuffer: int, windows: int
) -> None:
    """First the network does not fit, then the windows."""
    monkeypatch.setattr("tempfile.tempdir", str(full_disk))
    with pytest.raises(LeakearError, match=r"cannot be written: .+; set TMPDIR to a folder with 1 MB free"):
        runtimes.score(runtimes.known()[0], bytes(flatbuffer), np.zeros((windows, *SPEC.shape), np.uint8))
    assert list(full_disk.iterdir()) == []


def test_the_terminal_shows_progress_without_tensorflows_messages(run_folder: Path, tmp_path: Path) -> None:
    words = [str(run_folder), "-o", str(tmp_path / "m.tflite"), "--calibration-windows", "40"]
    code = f"import sys; from leakear.convert.cli import main; sys.exit(main({words}))"
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "absl" not in done.stderr
    assert "oneDNN" not in done.stderr
    stages = ("float network over", "int8 conversion with 40 calibration windows", "newest runtime", "other runtimes")
    for name in stages:
        assert f"{name}" in done.stderr
        assert any(line.startswith(name) and "done in" in line for line in done.stderr.splitlines())


def test_a_long_stage_prints_its_elapsed_time(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PULSE_S", 0.01)
    alive = []
    with progress.stage("a long one"):
        while not alive:
            alive = [line for line in capsys.readouterr().err.splitlines() if line.startswith("  a long one: ")]
    assert "a long one: done in" in capsys.readouterr().err


def test_hidden_messages_are_printed_when_loading_fails(capfd: Capture) -> None:
    def fail() -> None:
        with stderr_filter.silenced():
            os.write(2, b"the reason\n")
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert capfd.readouterr().err == "the reason\n"
    with stderr_filter.silenced():
        os.write(2, b"greetings\n")
    assert capfd.readouterr().err == ""


def test_only_lines_with_the_prefix_are_dropped(capfd: Capture) -> None:
    with stderr_filter.without_lines(b"fully_quantize"):
        os.write(2, b"fully_quantize: 0, inference_type: 6\na word for people\n")
    assert capfd.readouterr().err == "a word for people\n"
