"""Evidence: kept only where asked for, within its budget, and never at the cost of the daemon."""

import io
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from leakear.edge.errors import InputDataError
from leakear.edge.evidence.picture import png
from leakear.edge.evidence.recorder import NOT_KEPT, PNG, Evidence, EvidenceOptions
from leakear.edge.spectrogram import SpectrogramSpec, spectrogram
from leakear.edge.windows import Window

SPEC = SpectrogramSpec(reference="full-scale")
N = SPEC.window_samples
STREAM = (np.random.default_rng(8).standard_normal(4 * N) * 0.05).astype(np.float32)
ON = EvidenceOptions(enabled=True, min_free_mb=0.0)
PICTURE = spectrogram(STREAM[:N], SPEC)


def window(start: int) -> Window:
    return Window(0, start, STREAM[start : start + N], 0.0, 0.0, None)


def test_nothing_is_kept_unless_asked_for(tmp_path: Path) -> None:
    evidence = Evidence(EvidenceOptions(), SPEC, tmp_path / "evidence")
    evidence.remember(window(0))
    assert not evidence.enabled
    assert not evidence.record("a", window(N), PICTURE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", [N, N // 2, N // 10])
@pytest.mark.parametrize("pre_roll_s", [10.0, 4.0])
def test_the_clip_begins_before_the_window_without_a_seam(tmp_path: Path, step: int, pre_roll_s: float) -> None:
    evidence = Evidence(replace(ON, pre_roll_s=pre_roll_s), SPEC, tmp_path)
    starts = list(range(0, 2 * N + 1, step))
    for start in starts[:-1]:
        evidence.remember(window(start))
    assert evidence.record("event-1", window(starts[-1]), PICTURE)
    clip, rate = soundfile.read(io.BytesIO(evidence.fetch("event-1")), dtype="float32")
    end = starts[-1] + N
    assert rate == 22050
    assert np.abs(clip - STREAM[end - N - round(pre_roll_s * SPEC.sample_rate) : end]).max() < 2e-5


def test_sound_from_before_a_gap_is_not_joined(tmp_path: Path) -> None:
    evidence = Evidence(ON, SPEC, tmp_path)
    evidence.remember(window(0))
    evidence.record("event-1", window(2 * N), PICTURE)
    clip, _ = soundfile.read(io.BytesIO(evidence.fetch("event-1")))
    assert len(clip) == N


def test_the_picture_shows_the_spectrogram(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 3000 * np.arange(N) / SPEC.sample_rate).astype(np.float32) * 0.5
    evidence = Evidence(ON, SPEC, tmp_path)
    evidence.record("event-1", window(0), spectrogram(tone, SPEC))
    image = Image.open(io.BytesIO(evidence.fetch("event-1", PNG)))
    assert image.width == SPEC.frames
    brightness = np.asarray(image.convert("L"), np.float64).mean(axis=1)
    row = len(brightness) - 1 - int(brightness.argmax())  # low frequencies are at the bottom
    assert row / len(brightness) * SPEC.sample_rate / 2 == pytest.approx(3000, rel=0.02)


def test_a_picture_of_any_shape_is_a_valid_png() -> None:
    for shape in ((1, 1), (372, 431), (513, 7), (2049, 431)):
        image = Image.open(io.BytesIO(png(np.full(shape, -60.0, np.float32), -120.0)))
        image.load()
        assert image.width == shape[1]


def test_the_oldest_is_deleted_first(tmp_path: Path) -> None:
    evidence = Evidence(ON, SPEC, tmp_path)
    evidence.record("0001", window(0), PICTURE)
    size_mb = sum(path.stat().st_size for path in tmp_path.iterdir()) / 1e6
    tight = Evidence(EvidenceOptions(enabled=True, max_mb=3.5 * size_mb, min_free_mb=0.0), SPEC, tmp_path)
    for number in range(2, 6):
        assert tight.record(f"{number:04}", window(0), PICTURE)
    assert {path.stem for path in tmp_path.glob("*.flac")} == {"0003", "0004", "0005"}
    assert {path.stem for path in tmp_path.glob("*.png")} == {"0003", "0004", "0005"}


def test_no_room_is_a_named_fault(tmp_path: Path) -> None:
    full = Evidence(EvidenceOptions(enabled=True, min_free_mb=1e6), SPEC, tmp_path)
    assert not full.record("0001", window(0), PICTURE)
    assert list(full.faults) == [NOT_KEPT]
    assert list(tmp_path.iterdir()) == []


def test_the_fault_ends_with_the_first_evidence_that_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.write_text("a file stands where the folder should be")
    evidence = Evidence(ON, SPEC, folder)
    assert not evidence.record("0001", window(0), PICTURE)
    assert list(evidence.faults) == [NOT_KEPT]
    folder.unlink()
    assert evidence.record("0002", window(0), PICTURE)
    assert evidence.faults == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_neither_raises_nor_leaves_halves(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(tmp_path)], check=True)
    try:
        evidence = Evidence(ON, SPEC, tmp_path)
        assert not evidence.record("0001", window(0), PICTURE)
        assert list(evidence.faults) == [NOT_KEPT]
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", "x" * 65])
def test_only_event_ids_are_file_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputDataError, match="no event id"):
        Evidence(ON, SPEC, tmp_path).fetch(name)


def test_absent_evidence_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="no evidence of event 0009"):
        Evidence(ON, SPEC, tmp_path).fetch("0009")
