"""When a recording began: header, name, and what says nothing."""

import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leakear.edge.audio.start_time import start_of

RATE = 48000
BEGAN = datetime(2026, 11, 22, 2, 0, 0, tzinfo=UTC).timestamp()


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def wav(path: Path, date: bytes, clock: bytes, samples: int, *, behind: bool = False) -> Path:
    fmt = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
    bext = chunk(b"bext", bytes(320) + date + clock + struct.pack("<Q", samples) + bytes(257))
    body = b"WAVE" + (bext + fmt if not behind else fmt + chunk(b"LIST", b"odd") + bext) + chunk(b"data", bytes(200))
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


@pytest.mark.parametrize("behind", [False, True])
def test_the_samples_since_midnight_count_wherever_the_header_stands(tmp_path: Path, behind: bool) -> None:
    path = wav(tmp_path / "a.wav", b"2026-11-22", b"02:00:00", 2 * 3600 * RATE + 12, behind=behind)
    assert start_of(path) == pytest.approx(BEGAN + 12 / RATE, abs=1e-6)


def test_without_them_the_time_of_day_counts(tmp_path: Path) -> None:
    assert start_of(wav(tmp_path / "a.wav", b"2026:11:22", b"02-00-00", 0)) == BEGAN


@pytest.mark.parametrize(
    "name", ["pit-7_20261122T020000Z", "2026-11-22T02-00-00Z", "20261122_020000", "x 2026-11-22_02.00.00Z"]
)
def test_a_name_says_it(tmp_path: Path, name: str) -> None:
    assert start_of(tmp_path / f"{name}.flac") == BEGAN


@pytest.mark.parametrize(
    "name", ["pit-7", "2026-11-22", "2026-11-22 02.00.00", "20261332_020000", "1120261122_0200001", "-"]
)
def test_a_name_that_may_be_of_any_zone_says_nothing(tmp_path: Path, name: str) -> None:
    assert start_of(tmp_path / f"{name}.wav") is None


@pytest.mark.parametrize("date", [b"\0" * 10, b"0000-00-00", b"\xff" * 10, b"2026-13-40"])
def test_a_header_that_is_empty_or_wrong_leaves_the_name(tmp_path: Path, date: bytes) -> None:
    assert start_of(wav(tmp_path / "a.wav", date, b"02:00:00", 5)) is None
    assert start_of(wav(tmp_path / "20261122_020000.wav", date, b"02:00:00", 5)) == BEGAN


def test_damaged_files_never_raise(tmp_path: Path) -> None:
    whole = wav(tmp_path / "a.wav", b"2026-11-22", b"02:00:00", 7).read_bytes()
    path = tmp_path / "b.wav"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        start_of(path)
