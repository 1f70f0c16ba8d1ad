"""Whether a recording trained a model is told by its sound, not by its name or file format."""

from pathlib import Path

import soundfile

from leakear.train.data.dataset import Recording
from leakear.train.evaluation import trained_on
from tests.support.sounds import record


def test_a_flac_copy_under_another_name_is_the_same_sound(tmp_path: Path) -> None:
    wav = record(tmp_path / "a.wav", leak=True, seconds=2)
    samples, rate = soundfile.read(wav, dtype="int16")
    soundfile.write(tmp_path / "b.flac", samples, rate)
    other = record(tmp_path / "c.wav", leak=True, seconds=2, seed=1)
    assert trained_on.digest(wav) == trained_on.digest(tmp_path / "b.flac")
    assert trained_on.digest(wav) != trained_on.digest(other)


def test_digests_leave_out_what_cannot_be_read(tmp_path: Path) -> None:
    wav = record(tmp_path / "a.wav", leak=True)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    recordings = [Recording(tmp_path / name, "Leak", name) for name in ("a.wav", "bad.wav")]
    assert trained_on.digests(recordings) == [trained_on.digest(wav)]


def test_the_description_of_a_model_file_tells_the_digests() -> None:
    assert trained_on.known({"training": {"data": {"sounds": ["ab"]}}}) == {"ab"}
    assert trained_on.known({"training": {"data": None}}) == frozenset()
    assert trained_on.known({}) == frozenset()
