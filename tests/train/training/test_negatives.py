"""What `fit` adds to a person's recordings: written as they are, found again, and never more than asked for."""

from pathlib import Path

import numpy as np
import soundfile

from leakear.edge.spectrogram import SpectrogramSpec
from leakear.train.data import augmentation
from leakear.train.data.dataset import Recording
from leakear.train.training import negatives


def write(path: Path, rate: int, seconds: float = 3.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(round(seconds * rate)), rate, "PCM_16")
    return path


def test_made_windows_have_the_recordings_rate_and_are_found_again(tmp_path: Path) -> None:
    made = negatives.simulated(4096, tmp_path, jobs=1, sites=2)
    assert [r.label for r in made] == ["NoLeak"] * 2
    assert len({r.site for r in made}) == 2
    assert {soundfile.info(r.path).samplerate for r in made} == {4096}
    assert all(abs(soundfile.info(r.path).duration - 10) < 0.01 for r in made)
    stamps = [r.path.stat().st_mtime_ns for r in made]
    again = negatives.simulated(4096, tmp_path, jobs=1, sites=2)
    assert [r.path.stat().st_mtime_ns for r in again] == stamps
    assert [r.sha256 for r in again] == [r.sha256 for r in made]


def test_given_sounds_are_limited_as_the_recordings_are_and_running_water_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    write(folder / "rain.wav", 22050)
    write(folder / "running_tap.wav", 22050)
    found = negatives.given(augmentation.backgrounds(folder), folder, 4096, SpectrogramSpec(), tmp_path / "cache")
    assert [(r.label, r.name) for r in found] == [("NoLeak", "given/rain.wav")]
    assert soundfile.info(found[0].path).samplerate == 4096
    assert abs(soundfile.info(found[0].path).duration - 10) < 0.01


def test_the_rate_is_that_of_most_recordings(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{number}.wav", rate) for number, rate in enumerate((4096, 4096, 48000))]
    recordings = [Recording(path, "Leak", path.name) for path in paths]
    assert negatives.sample_rate(recordings) == 4096
    assert negatives.sample_rate([recordings[2]]) == negatives.RATE
    assert negatives.sample_rate([Recording(tmp_path / "none.wav", "Leak", "none.wav")]) == negatives.RATE
