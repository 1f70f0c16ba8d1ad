"""The report on a data set before training."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.train import cli
from leakear.train.data.dataset import Recording
from leakear.train.evaluation import set_report
from tests.support.sounds import RATE, record

Capture = pytest.CaptureFixture[str]


def inspect(*words: object) -> int:
    return cli.main(["inspect", *map(str, words)])


def test_the_report_tells_what_a_set_holds_and_what_is_wrong_with_it(tmp_path: Path, capsys: Capture) -> None:
    data = tmp_path / "my set"
    for number in range(4):
        record(data / "Leak" / f"s1-{number}.wav", leak=True, seed=number, seconds=12)
        record(data / "NoLeak" / f"s2-{number}.wav", leak=False, seed=10 + number, seconds=12)
    soundfile.write(data / "Leak" / "s1-dead.wav", np.zeros(12 * RATE), RATE)
    page = tmp_path / "r.html"
    words = (data, "-o", page, "--cache", tmp_path / "cache", "--jobs", 1, "--site-pattern", r"(s\d)-")
    assert inspect(*words) == 0
    said = capsys.readouterr().out
    assert "Leak → Leak, 5" in said
    assert "left out: Leak/s1-dead.wav: " in said
    assert "digital_silence" in said
    assert "problem: no site holds both classes" in said
    assert "problem: only 4 recordings are Leak" in said
    text = page.read_text(encoding="utf-8")
    for part in ("no site holds both classes", "Sample rate", "Level", "s1-dead.wav", "data:image/png;base64"):
        assert part in text


def test_the_next_command_names_the_same_recordings(tmp_path: Path, capsys: Capture) -> None:
    data = tmp_path / "my set"
    for number in range(2):
        record(data / "a" / f"{number}.wav", leak=True, seed=number, seconds=12)
        record(data / "b" / f"{number}.wav", leak=False, seed=5 + number, seconds=12)
    words = [str(data), "--label", "a=Leak", "--label", "b b=NoLeak", "--channel", "1"]
    (data / "b").rename(data / "b b")
    assert inspect(*words, "-o", tmp_path / "r.html", "--cache", tmp_path / "cache", "--jobs", 1) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert shlex.split(last.partition("next: ")[2]) == ["leakear-train", "fit", *words]


def test_one_sound_under_both_labels_is_refused(tmp_path: Path, capsys: Capture) -> None:
    record(tmp_path / "set" / "Leak" / "a.wav", leak=True, seconds=12)
    record(tmp_path / "set" / "NoLeak" / "b.wav", leak=True, seconds=12)
    assert inspect(tmp_path / "set", "-o", tmp_path / "r.html", "--cache", tmp_path / "cache", "--jobs", 1) == 65
    assert "NoLeak/b.wav is Leak/a.wav under the other label" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    ("name", "quiet", "leaks", "told"),
    [
        ("bandwidth", 10700.0, 10900.0, False),
        ("bandwidth", 6800.0, 10900.0, True),
        ("length", 10.0, 10.1, False),
        ("length", 10.0, 20.0, True),
        ("level", -40.5, -40.0, False),
        ("level", -60.0, -40.0, True),
        ("sample rate", 44100.0, 48000.0, True),
    ],
)
def test_a_difference_that_nothing_shows_does_not_separate_the_classes(
    name: str, quiet: float, leaks: float, *, told: bool
) -> None:
    recordings = [Recording(Path("x.wav"), "Leak" if k % 2 else "NoLeak", "x.wav") for k in range(10)]
    values = [(leaks if k % 2 else quiet) + 0.001 * k for k in range(10)]
    said = list(set_report.confounded(name, values, recordings))
    assert bool(said) == told
    assert not told or f"{name} alone separates the classes (AUC 1.00; median " in said[0]
