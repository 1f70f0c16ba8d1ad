"""What every command line does with what cannot be: one sentence and an exit code before any work; no traceback."""

import argparse
import contextlib
import importlib
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from leakear.edge import command_line, files
from leakear.edge.audio.blocks import Block
from leakear.edge.audio.reading_progress import shown
from leakear.edge.command_line import Program, ProgressLine, number, whole
from leakear.edge.errors import LeakearError, UsageError


def program(monkeypatch: pytest.MonkeyPatch, work: Callable[[argparse.Namespace], int]) -> Program:
    module = ModuleType("leakear_test_command")
    vars(module).update(HELP="", add_arguments=lambda parser: parser.add_argument("--n", type=whole(1)), main=work)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Program("leakear-test", "", {"do": (module.__name__, "")})


def test_a_file_that_cannot_be_used_is_one_sentence_with_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "nope"
    assert program(monkeypatch, lambda _: len(missing.read_bytes())).run(["do"]) == 1
    assert capsys.readouterr().err == f"leakear-test: {missing}: No such file or directory\n"


def test_wrong_usage_is_exit_code_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(_: argparse.Namespace) -> int:
        raise UsageError("--this goes without --that")

    assert program(monkeypatch, refuse).run(["do"]) == 2
    with pytest.raises(SystemExit) as ended:
        program(monkeypatch, refuse).run(["do", "--n", "0"])
    assert ended.value.code == 2
    assert "argument --n: '0': give a whole number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (whole(1), "x", "from 1 on"),
        (whole(0, 9), "10", "from 0 to 9"),
        (number(0, above=True), "0", "above 0"),
        (number(0, above=True), "inf", "above 0"),
        (number(0), "-1", "from 0 on"),
        (number(0, 1), "nan", "from 0 up to 1"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(kind: Callable[[str], float], text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"{said}$"):
        kind(text)


def test_ctrl_c_in_the_clean_up_of_an_object_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Held:
        def __del__(self) -> None:
            raise KeyboardInterrupt  # as Python raises it there; it passes it on to nobody

    def work(_: argparse.Namespace) -> int:
        Held()
        time.sleep(60)
        return 0

    assert program(monkeypatch, work).run(["do"]) == 130
    assert capsys.readouterr().err == ""


def test_numbers_that_can_be_meant_are_taken() -> None:
    assert (whole(1)("1"), whole(0, 9)("9"), number(0, above=True)("0.1"), number(0, 1)("1")) == (1, 9, 0.1, 1)


def test_outputs_that_cannot_be_written_are_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    for check, path in (
        (files.file, Path("/proc/x")),
        (files.file, tmp_path),
        (files.file, tmp_path / "absent" / "x"),
        (files.folder, Path("/proc/x/y")),
        (files.folder, taken),
        (files.folder, taken / "x"),
    ):
        with pytest.raises(LeakearError, match=f"--out {path}"):
            check(path, "--out")
    files.file(taken, "--out")
    files.file(tmp_path / "new", "--out")
    files.folder(tmp_path / "new" / "deep", "--out")
    files.folder(Path("new-folder-beside-nothing"), "--out")
    assert list(tmp_path.iterdir()) == [taken]


class Terminal(io.StringIO):
    """A terminal as standard error."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        return [part for part in self.getvalue().replace("\x1b[2K", "").split("\r") if part]


def test_a_long_step_says_the_time_left_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(0, 300, 30))
    monkeypatch.setattr(command_line.time, "monotonic", lambda: float(next(times)))
    with contextlib.redirect_stderr(Terminal()) as there:
        line = ProgressLine("bench", 4)
        for done in range(1, 4):
            line.update(done)
        line.end()
    assert there.lines == [
        "bench: 25% done, about 1.5 min left",
        "bench: 50% done, about 1.0 min left",
        "bench: 75% done, about 0.5 min left",
    ]


def test_a_short_step_or_no_terminal_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine("bench", 4)
    line.update(2)
    line.end()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("times", "longest_s", "percent"), [(1, float("inf"), "50%"), (5, float("inf"), "10%"), (5, 4.0, "25%")]
)
def test_what_is_left_of_recordings_counts_repeats_and_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, longest_s: float, percent: str
) -> None:
    clock = iter(range(0, 300, 30))
    soundfile.write(tmp_path / "a.wav", np.full(16000, 0.1), 8000)
    blocks = iter([Block(at * 8000, np.zeros(8000, np.float32), float(at), float(at)) for at in range(2)])
    monkeypatch.setattr(command_line.time, "monotonic", lambda: float(next(clock)))
    with contextlib.redirect_stderr(Terminal()) as there:
        assert len(list(shown(blocks, [tmp_path / "a.wav"], 1, times=times, at_most_s=longest_s))) == 2
    assert there.lines[-1].startswith(f"a.wav: {percent} done, about ")


def test_a_value_of_a_wrong_option_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module("leakear.edge.cli").main(["setup", "--pasword=s3cret", "--pasword", "s3cret"])
    assert "s3cret" not in capsys.readouterr().err
