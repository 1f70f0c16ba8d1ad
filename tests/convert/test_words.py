"""What the converter's command line says where somebody named the wrong thing."""

import subprocess
import sys
from pathlib import Path

import pytest

from leakear.convert import cli
from leakear.edge.model.tflite import FACTORY


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bogus"]) == 2
    error = capsys.readouterr().err
    assert "bogus is neither a command (convert, inspect" in error
    assert "-o" not in error.split()


def test_a_model_file_is_not_converted_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([str(FACTORY), "-o", str(tmp_path / "y.tflite")]) == 65
    assert "is a model file already" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["inspect", "nope"], ["verify", "nope"], ["diff", "nope", "nope"]])
def test_the_error_for_a_missing_model_names_it(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 78
    error = capsys.readouterr().err
    assert "nope: No such file" in error
    assert "[model]" not in error


def test_diff_shows_whether_models_are_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signed, key = tmp_path / "signed.tflite", tmp_path / "k"
    assert cli.main(["sign", "--new-key", str(key)]) == 0
    assert cli.main(["sign", str(FACTORY), "--key", f"{key}.private.pem", "-o", str(signed)]) == 0
    capsys.readouterr()
    assert cli.main(["diff", str(FACTORY), str(signed)]) == 0
    assert capsys.readouterr().out == "signed  false → true\n"


def test_only_lines_with_the_prefix_are_dropped_from_standard_error() -> None:
    code = """
import os
from leakear.edge.stderr_filter import silenced, without_lines
with silenced():
    os.write(2, b"greetings\\n")
with without_lines(b"noise: "):
    os.write(2, b"noise: 1\\nkept\\n")
os.write(2, b"after\\n")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "kept\nafter\n"
