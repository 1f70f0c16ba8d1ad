"""`leakear-train` refuses what cannot be meant or written at once, before TensorFlow starts and before any work."""

import sys
from pathlib import Path

import pytest

from leakear.train import cli
from tests.support import other_rate


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("fit DATA --epochs 0", "--epochs"),
        ("fit DATA --batch-size 0", "--batch-size"),
        ("fit DATA --preset foo", "compact"),
        ("fit DATA --site-pattern (", "--site-pattern"),
        ("fit DATA --site-pattern a", "one (group)"),
        ("crossval DATA --baseline foo", "dbmin"),
        ("evaluate DATA --minutes 0", "--minutes"),
        ("evaluate DATA --rule foo", "rise_db"),
        ("nodedays --out OUT --days 0", "--days"),
        ("nodedays --out OUT --rule foo", "rise_db"),
        ("simulate OUT --use 2", "--use"),
    ],
)
def test_values_out_of_range_are_wrong_usage(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = cli.main(words.split())
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "fit DATA -o /proc/x", "fit DATA -o taken", "simulate /proc/x --sites 1", "crossval DATA -o /proc/x",
        "compare DATA -o /proc/x", "evaluate DATA --json /proc/x/y.json", "evaluate DATA --json .",
        "nodedays --out /proc/x", "factory DATA -o /proc/x", "factory DATA -o taken --run /proc/x",
    ],
)  # fmt: skip
def test_an_unwritable_output_is_refused_before_the_work(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("")
    before = "tensorflow" in sys.modules
    assert cli.main(words.split()) == 1
    error = capsys.readouterr().err
    assert (error.count("\n"), error.startswith("leakear-train: ")) == (1, True)
    assert ("tensorflow" in sys.modules) == before
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("words", ["nodedays --model MODEL --out days", "realdays . --model MODEL --out days"])
def test_node_days_refuse_a_model_of_another_rate(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would hear every sound at another pitch, and the figures would not say so."""
    monkeypatch.chdir(tmp_path)
    model = other_rate.write(tmp_path / "other.tflite")
    assert cli.main(words.replace("MODEL", str(model)).split()) == 65
    assert "other.tflite listens at 44100 Hz, and node-days are made at 22050 Hz" in capsys.readouterr().err
