"""The command on real files: answers, report, and one sentence for each pair that cannot be used."""

import json
import struct
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from leakear.dashboard import cli
from leakear.edge.command_line import ProgressLine
from leakear.train.simulator.pairs import render
from tests.support.pairs import case

MADE = case(3, position=30.0, seconds=8.0)
PIPE = ("--length", "100", "--material", "steel", "--speed", f"{MADE.speed_range[0]:.0f}:{MADE.speed_range[1]:.0f}")
EXACT = ("--clock-uncertainty", "0", "--drift-uncertainty", "0")


@pytest.fixture(scope="module")
def sounds() -> tuple[np.ndarray, np.ndarray]:
    return render(MADE)


@pytest.fixture
def pair(tmp_path: Path, sounds: tuple[np.ndarray, np.ndarray]) -> tuple[Path, Path]:
    paths = tmp_path / "a.wav", tmp_path / "b.flac"
    for path, samples in zip(paths, sounds, strict=True):
        soundfile.write(path, samples, MADE.rate, subtype="PCM_24")
    return paths


def asked(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    assert cli.main(["locate", *map(str, words), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def refused(capsys: pytest.CaptureFixture[str], code: int, *words: object) -> str:
    """Run it; return its one sentence."""
    try:
        given = cli.main(["locate", *map(str, words)])
    except SystemExit as error:
        given = int(str(error.code))
    out = capsys.readouterr()
    assert (given, out.out) == (code, "")
    sentence = out.err.splitlines()[-1]
    assert code == 2 or out.err.count("\n") == 1
    assert "Traceback" not in out.err
    return sentence


def test_it_says_where_with_its_interval(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["locate", *map(str, pair), *PIPE]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("m from B")
    assert lines[1].startswith("95 %: ")
    assert lines[2].startswith("50 %: ")
    assert lines[3].startswith("quality: good")
    answer = asked(capsys, *pair, *PIPE)
    low, high = answer["interval_95_m"]  # type: ignore[misc]
    assert low <= 30 <= high
    assert answer["position_m"] == pytest.approx(30, abs=1.5)
    assert answer["from_b_m"] == pytest.approx(70, abs=1.5)
    assert answer["refusal"] is None


def test_swapped_files_give_the_mirrored_position(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, *reversed(pair), *PIPE, *EXACT)["position_m"] == pytest.approx(70, abs=1.5)


def test_one_stereo_file_has_a_left_and_b_right(
    tmp_path: Path, sounds: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    both = tmp_path / "both.wav"
    soundfile.write(both, np.stack(sounds, axis=1), MADE.rate)
    answer = asked(capsys, both, *PIPE)
    assert answer["position_m"] == pytest.approx(30, abs=1.0)
    for channel, name in enumerate(("left.wav", "right.wav")):
        soundfile.write(tmp_path / name, sounds[channel], MADE.rate)
    cut = asked(capsys, tmp_path / "left.wav", tmp_path / "right.wav", *PIPE, *EXACT)
    assert cut["position_m"] == answer["position_m"]


def test_unequal_rates_are_resampled_and_said(
    tmp_path: Path, pair: tuple[Path, Path], sounds: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    slow = tmp_path / "slow.wav"
    soundfile.write(slow, scipy.signal.resample_poly(sounds[1], 3, 4), MADE.rate * 3 // 4)
    answer = asked(capsys, pair[0], slow, *PIPE, *EXACT)
    assert answer["position_m"] == pytest.approx(30, abs=1.0)
    assert answer["notes"] == [f"{pair[0]} has 8192 Hz and {slow} 6144 Hz: both were resampled to 6144 Hz."]


def test_the_report_is_one_page_with_every_curve(
    tmp_path: Path, pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "leak.html"
    assert cli.main(["locate", *map(str, pair), *PIPE, "--report", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert capsys.readouterr().out.splitlines()[0] in text
    for title in ("Position along the pipe", "Correlation", "Coherence", "Power spectra"):
        assert title in text
    assert "http" not in text
    for drawing in text.split("<svg")[1:]:
        ET.fromstring("<svg" + drawing.partition("</svg>")[0] + "</svg>")
    assert "nan" not in text


def test_a_refusal_has_its_report_too(
    tmp_path: Path, pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "none.html"
    assert cli.main(["locate", *map(str, pair), *PIPE, *EXACT, "--pump", "30", "--report", str(page)]) == 0
    assert capsys.readouterr().out.startswith("No position. The strongest sound comes from the known pump")
    assert "<svg" in page.read_text(encoding="utf-8")


def test_a_known_source_measures_the_speed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = case(16, kind="machine", position=100.0)
    paths = tmp_path / "a.wav", tmp_path / "b.wav"
    for path, samples in zip(paths, render(made), strict=True):
        soundfile.write(path, samples, made.rate)
    words = (*paths, "--length", 100, "--material", "steel", *EXACT)
    answer = asked(capsys, *words, "--known-source", "B")
    low, high = answer["interval_95_m_s"]  # type: ignore[misc]
    assert low <= made.wall.speed <= high
    assert high - low < 0.05 * made.wall.speed
    swapped = refused(capsys, 65, *words, "--known-source", "A")
    assert "The sound reaches B first, so it is not at A: are the files swapped" in swapped


def test_times_in_the_files_align_them(
    tmp_path: Path, sounds: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    late = 1.25
    paths = tmp_path / "a.wav", tmp_path / "b.wav"
    broadcast(paths[0], sounds[0], 86000 * MADE.rate)
    broadcast(paths[1], sounds[1][round(late * MADE.rate) :], round((86000 + late) * MADE.rate))
    assert asked(capsys, *paths, *PIPE, *EXACT)["position_m"] == pytest.approx(30, abs=1.0)
    shifted = asked(capsys, *paths, *PIPE, *EXACT, "--offset", 0)
    assert shifted["refusal"] == "coherence"
    broadcast(paths[1], sounds[1], (86000 + 60) * MADE.rate)
    assert "overlap by 0.0 s only" in refused(capsys, 65, *paths, *PIPE)


def test_a_fraction_of_a_sample_of_the_offset_counts(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    at = [asked(capsys, *pair, *PIPE, *EXACT, "--offset", offset)["position_m"] for offset in (0, 0.00005)]
    moved = at[1] - at[0]  # type: ignore[operator]
    assert moved == pytest.approx(-0.00005 * MADE.wall.speed / 2, abs=0.02)  # B began later, so its delay is longer


def test_pairs_that_cannot_be_used(
    tmp_path: Path, pair: tuple[Path, Path], sounds: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = pair
    silent, stereo, text, short = (tmp_path / name for name in ("silent.wav", "stereo.wav", "text.wav", "short.wav"))
    soundfile.write(silent, np.zeros(50000), MADE.rate)
    soundfile.write(stereo, np.stack(sounds, axis=1), MADE.rate)
    soundfile.write(short, sounds[1][:8192], MADE.rate)
    text.write_text("no sound at all")
    assert f"{silent}: is silent; check the sensor and its gain" in refused(capsys, 65, a, silent, *PIPE)
    assert "hold the same sound" in refused(capsys, 65, a, a, *PIPE)
    assert f"{stereo}: has 2 channels" in refused(capsys, 65, a, stereo, *PIPE)
    assert f"{a}: has 1 channel(s); give two files, or one stereo file" in refused(capsys, 65, a, *PIPE)
    assert f"{text}: cannot be read as sound" in refused(capsys, 65, a, text, *PIPE)
    assert "overlap by 1.0 s only, and 2 s are needed" in refused(capsys, 65, a, short, *PIPE)
    assert "correct --offset" in refused(capsys, 65, a, b, *PIPE, "--offset", 3600)
    assert "correct --offset" in refused(capsys, 65, a, b, *PIPE, "--offset", -3600)
    assert "cannot be opened" in refused(capsys, 65, a, tmp_path / "absent.wav", *PIPE)


def test_options_that_cannot_be(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    base = (*pair, "--length", 100, "--material", "steel")
    assert "--speed 5000:6000 cannot be" in refused(capsys, 2, *base, "--speed", "5000:6000")
    assert "--speed" in refused(capsys, 2, *base, "--speed", "fast")
    assert "--diameter and --wall need each other" in refused(capsys, 2, *base, "--diameter", 100)
    assert "--pump 120 is beyond the pipe's 100 m" in refused(capsys, 2, *base, "--pump", 120)
    said = refused(capsys, 2, *base, "--known-source", "A", "--report", pair[0].with_name("page.html"))
    assert "--known-source measures the speed alone: leave one of them out" in said
    assert "3 files are no pairs" in refused(capsys, 2, pair[0], *base)
    assert "--length" in refused(capsys, 2, *pair, "--length", -3, "--material", "steel")
    assert "--material" in refused(capsys, 2, *pair, "--length", 3, "--material", "wood")


def test_a_long_recording_is_cut_and_a_short_one_refused_for_a_long_pipe(
    tmp_path: Path, sounds: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    paths = tmp_path / "a.wav", tmp_path / "b.wav"
    for path, samples in zip(paths, sounds, strict=True):
        soundfile.write(path, np.tile(samples, 8), MADE.rate)
    answer = asked(capsys, *paths, *PIPE, *EXACT)
    assert answer["notes"] == ["The first 60 s of 64 s were used: give other minutes as further pairs."]
    far = asked(capsys, *paths, "--length", 5000, "--material", "pe", *EXACT)
    assert far["refusal"] == "short"


def test_loose_clocks_are_refused_with_a_report(
    tmp_path: Path, pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "loose.html"
    words = (*pair, *PIPE, "--clock-uncertainty", 0.5, "--report", page)
    assert asked(capsys, *words)["refusal"] == "clock"
    assert "The clocks are too loose" in page.read_text(encoding="utf-8")


def test_repeats_are_averaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words: list[Path] = []
    for seed in range(8):
        made = replace(case(seed, position=30.0, snr_db=-13.0), wall=MADE.wall)
        for end, samples in zip("ab", render(made), strict=True):
            words.append(tmp_path / f"{seed}{end}.wav")
            soundfile.write(words[-1], samples, made.rate)
    answer = asked(capsys, *words, *PIPE, *EXACT)
    assert answer["position_m"] == pytest.approx(30, abs=2)


def broadcast(path: Path, samples: np.ndarray, reference: int) -> None:
    """Write a broadcast wave file whose first sample is `reference` samples after midnight."""
    data = (samples * 32767).astype("<i2").tobytes()
    chunk = bytearray(602)
    struct.pack_into("<10s8sQ", chunk, 320, b"2026-03-01", b"23:53:20", reference)
    form = struct.pack("<HHIIHH", 1, 1, MADE.rate, 2 * MADE.rate, 2, 16)
    parts = [(b"bext", bytes(chunk)), (b"fmt ", form), (b"data", data)]
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(part)) + part for name, part in parts)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


@pytest.mark.parametrize("words", [(), ("--known-source", "A")])
def test_reading_and_correlating_show_how_far_they_are(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    shown: dict[str, list[float]] = {}

    def noted(line: ProgressLine, done: float) -> None:
        assert line._total is not None
        shown.setdefault(line._name, []).append(done / line._total)

    monkeypatch.setattr(ProgressLine, "update", noted)
    cli.main(["locate", *map(str, pair), *PIPE, *words, "--drift-uncertainty", "50"])  # whatever it finds
    assert set(shown) == {"reading a.wav", "reading b.flac", "correlating"}
    for shares in shown.values():
        assert shares == sorted(shares)
        assert len(shares) > 2
        assert 0.7 < shares[-1] <= 1.001
