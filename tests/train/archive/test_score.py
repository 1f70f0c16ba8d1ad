import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.model.tflite import FACTORY
from leakear.train.archive import report
from leakear.train.cli import main
from tests.support.archives import make_archive, write_sound

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: pip install 'leakear[cluster]'")


def score(archive: Path | str, out: Path, *words: object) -> int:
    return main(["score", str(archive), "--out", str(out), "--jobs", "1", *map(str, words)])


def rows(out: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(out).to_pylist())


def test_each_recording_is_one_row_and_what_cannot_be_heard_says_why(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", 7)
    (archive / "site-1" / "damaged.wav").write_bytes(b"no sound")
    (archive / "site-1" / "empty.flac").touch()
    (archive / "site-1" / "notes.txt").touch()
    (archive / ".hidden").mkdir()
    write_sound(archive / ".hidden" / "a.wav", 0)
    write_sound(archive / "top.wav", 1)
    write_sound(archive / "site-2" / "20261105" / "short.wav", 2, seconds=3)
    write_sound(archive / "site-2" / "20261105" / "long.wav", 3, seconds=35)
    (archive / "site-2" / "loop").symlink_to(archive)
    odd = os.fsdecode(b"site-2/odd-\xff.wav")
    write_sound(archive / odd, 4)
    assert score(archive, tmp_path / "out", "--shard", 4) == 0
    found = {row["path"]: row for row in rows(tmp_path / "out")}
    assert len(found) == len(rows(tmp_path / "out")) == 13
    assert found["site-1/damaged.wav"]["error"].startswith("cannot be read as sound")
    assert found["site-1/empty.flac"]["error"] == "is empty; record it again"
    assert {row["path"] for row in found.values() if row["error"]} == {"site-1/damaged.wav", "site-1/empty.flac"}
    assert (found["top.wav"]["site"], found["top.wav"]["date"]) == ("", "")
    assert found["site-2/20261105/short.wav"]["windows"] == 1
    assert found["site-2/20261105/long.wav"]["windows"] == len(found["site-2/20261105/long.wav"]["scores"]) == 3
    assert found["site-2/20261105/long.wav"]["date"] == "2026-11-05"
    assert found["site-2/odd-\\udcff.wav"]["scored"] == 1
    assert json.loads((tmp_path / "out" / report.REPORT).read_text())["no_recordings_by_name"] == {".txt": 1}


def test_a_score_is_what_a_node_would_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from leakear.edge.cli import main as edge

    archive = make_archive(tmp_path / "archive", 1)
    assert score(archive, tmp_path / "out") == 0
    capsys.readouterr()
    assert edge(["replay", str(next(archive.rglob("*.wav"))), "--json"]) == 0
    windows = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if line["type"] == "window"]
    assert rows(tmp_path / "out")[0]["scores"] == pytest.approx([window["score"] for window in windows], abs=1e-6)


def test_the_report_counts_by_site_and_date(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", 24)
    assert score(archive, tmp_path / "out", "--shard", 5) == 0
    with (tmp_path / "out" / report.TABLE).open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 12
    assert {(line["recordings"], line["errors"], line["windows"]) for line in lines} == {("2", "0", "2")}
    assert score(archive, tmp_path / "other", "--site", r"/(\d{3})\.wav", "--date", r"2026-(11)-") == 0
    assert {(row["site"], row["date"]) for row in rows(tmp_path / "other")} == {(f"{n:03}", "11") for n in range(24)}


def test_a_killed_run_continues_and_gives_the_same_bytes(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", 30)
    words = ["score", str(archive), "--shard", "1", "--jobs", "1", "--out"]
    out = tmp_path / "killed"
    for parts in (3, 9):
        process = subprocess.Popen([sys.executable, "-m", "leakear.train.cli", *words, str(out)])
        while len(list(out.glob("part-*"))) < parts:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = {path: path.stat().st_ino for path in out.glob("part-*")}
    (out / ".part-000000.0123abcd.parquet").write_bytes(b"of a killed process")
    assert 9 <= len(kept) < 30
    assert main([*words, str(out)]) == 0
    assert all(path.stat().st_ino == inode for path, inode in kept.items())
    assert main([*words, str(tmp_path / "whole")]) == 0
    assert _bytes(out) == _bytes(tmp_path / "whole")


def test_a_damaged_shard_is_computed_again(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", 6)
    assert score(archive, tmp_path / "out", "--shard", 2) == 0
    before = _bytes(tmp_path / "out")
    for data in (before["part-000001.parquet"][:-9], b"", before["part-000001.parquet"][:500]):
        (tmp_path / "out" / "part-000001.parquet").write_bytes(data)
        assert score(archive, tmp_path / "out", "--shard", 2) == 0
        assert _bytes(tmp_path / "out") == before


def test_another_model_or_option_is_not_mixed_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = make_archive(tmp_path / "archive", 2)
    assert score(archive, tmp_path / "out") == 0
    other = tmp_path / "other.tflite"
    other.write_bytes(FACTORY.read_bytes())
    assert score(archive, tmp_path / "out", "--model", other) == 0  # the same bytes under another name
    assert score(archive, tmp_path / "out", "--channel", 1) == 1
    assert "holds scores of another channel (mix, not 1): give another --out" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--channel", "all"], ["--site", "no group"], ["--shard", "0"]])
def test_what_makes_no_sense_is_refused(words: list[str], tmp_path: Path) -> None:
    try:
        code: object = score(tmp_path, tmp_path / "out", *words)
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert not (tmp_path / "out").exists()


def test_an_archive_without_recordings_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert score(tmp_path / "empty", tmp_path / "out") == 65
    assert score(tmp_path / "absent", tmp_path / "out") == 65
    errors = capsys.readouterr().err
    assert "empty holds no recording" in errors
    assert "absent is no folder with recordings" in errors


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
