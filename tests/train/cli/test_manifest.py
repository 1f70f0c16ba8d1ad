"""A table of recordings: written, filled in with a spreadsheet program, read back."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from leakear.train import cli
from leakear.train.data import dataset
from leakear.train.data.written_paths import WrittenPaths
from tests.support.sounds import record

Capture = pytest.CaptureFixture[str]


def table(folder: Path, *words: str) -> bytes:
    """Run the command as a shell does, standard output in a file."""
    code = "import sys; from leakear.train import cli; sys.exit(cli.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "manifest", str(folder), *words]
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(data: bytes, separator: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")), delimiter=separator))


def test_the_table_guesses_and_is_read_back(tmp_path: Path) -> None:
    data = tmp_path / "Gravações"
    record(data / "Fuga" / "rua 7" / "REC_20240602_193000.wav", leak=True, seed=1)
    record(data / "sem fuga" / "praça" / "REC_20240603_070000.wav", leak=False, seed=2)
    record(data / "WhatsApp Audio" / "PTT-20240501-WA0000.wav", leak=True, seed=3)
    written = table(data)
    assert written.startswith(b"\xef\xbb\xbf"), "a spreadsheet program takes it for Windows-1252"
    found = {row["path"]: row for row in rows(written)}
    assert found["Fuga/rua 7/REC_20240602_193000.wav"] == {
        "path": "Fuga/rua 7/REC_20240602_193000.wav",
        "label": "Leak",
        "site": "rua 7",
        "date": "2024-06-02T19:30",
    }
    assert found["sem fuga/praça/REC_20240603_070000.wav"]["label"] == "NoLeak"
    assert found["WhatsApp Audio/PTT-20240501-WA0000.wav"]["label"] == ""
    filled = tmp_path / "filled.csv"
    filled.write_bytes(written.replace(b"WA0000.wav,,", b"WA0000.wav,Leak,"))
    assert [r.label for r in dataset.listed(data, filled).recordings].count("Leak") == 2


def test_what_telephones_call_a_recording_is_no_place(tmp_path: Path, capsys: Capture) -> None:
    names = ("Gravação 1", "Gravação 2", "Nova gravação 3", "Nova gravação 4", "New Recording 5", "Voice 006",
             "AUD-20260311-WA0007", "AUD-20260311-WA0008", "Voice 7", "New Recording 8",
             "WhatsApp Audio 2026-03-20 at 10.12.33", "WhatsApp Audio 2026-03-21 at 11.12.33", "Voz 011", "Voz 012",
             "Nova gravação 13 copy (2)", "Nova gravação 14 copy (2)",
             "rua 7 Voice 9", "rua 7 Voice 10", "Rua B nº 15", "Rua B nº 16")  # fmt: skip
    for number, name in enumerate(names):
        record(tmp_path / "obra" / f"{name}.wav", leak=True, seed=number)
    assert cli.main(["manifest", str(tmp_path)]) == 0
    said = capsys.readouterr()
    sites = {row["path"]: row["site"] for row in csv.DictReader(io.StringIO(said.out.removeprefix("\ufeff")))}
    assert {name for name, site in sites.items() if site} == {
        f"obra/{name}.wav" for name in ("rua 7 Voice 9", "rua 7 Voice 10", "Rua B nº 15", "Rua B nº 16")
    }
    assert sites["obra/Rua B nº 15.wav"] == "Rua-B"
    assert "20 recordings; check label and site of each; fill in label of 20, site of 16" in said.err


@pytest.mark.parametrize("inner", [" ruido", "não sei", "vazamentos"])
def test_a_folder_that_speaks_of_the_class_is_no_place(tmp_path: Path, inner: str) -> None:
    record(tmp_path / "março" / inner / "a.wav", leak=True)
    assert [row["site"] for row in rows(table(tmp_path))] == [""]


def test_a_name_that_is_not_utf_8_is_found_again(tmp_path: Path) -> None:
    name = os.fsdecode(b"NoLeak/gua\xe3.wav")
    record(tmp_path / "data" / "NoLeak" / "a.wav", leak=False).rename(tmp_path / "data" / name)
    (path,) = (row["path"] for row in rows(table(tmp_path / "data", "--separator", ";"), ";"))
    assert WrittenPaths(tmp_path / "data").locate(path) == tmp_path / "data" / name


def test_a_row_without_a_label_is_named(tmp_path: Path, capsys: Capture) -> None:
    record(tmp_path / "data" / "x" / "a.wav", leak=False)
    (tmp_path / "t.csv").write_bytes(table(tmp_path / "data"))
    assert cli.main(["inspect", str(tmp_path / "data"), "--manifest", str(tmp_path / "t.csv")]) == 65
    said = capsys.readouterr().err
    assert "t.csv line 2: x/a.wav has no label in column label: write Leak or NoLeak, or delete the row" in said


def test_a_folder_without_sound_is_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a.txt").write_text("x")
    assert cli.main(["manifest", str(tmp_path)]) == 65
    assert "holds no sound file" in capsys.readouterr().err
