import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from leakear.edge.audio.recordings import read_wav
from leakear.edge.spectrogram import spectrogram
from leakear.train.data import dataset, features
from leakear.train.data.clips import Recipe, clips, encode, windows
from leakear.train.data.dataset import Recording
from tests.support.sounds import RATE, SMALL, record

RECIPE = Recipe(SMALL, copies=2, augmentations=("noise", "gain", "shift"), seed=1)


def one(path: Path) -> Recording:
    (recording,), _ = dataset.fingerprint([Recording(path, "Leak", path.name)])
    return recording


@pytest.mark.parametrize(("seconds", "count"), [(0.4, 1), (1.0, 1), (2.0, 2), (2.1, 2), (2.5, 3), (5.0, 5)])
def test_the_number_of_windows_follows_the_length(tmp_path: Path, seconds: float, count: int) -> None:
    path = record(tmp_path / "a.wav", leak=True, seconds=seconds)
    found = list(windows(path, SMALL))
    assert [len(window) for window in found] == [RATE] * count
    whole = read_wav(path, SMALL)
    if seconds >= 1:
        np.testing.assert_array_equal(found[0], whole[:RATE])
        assert count == int(seconds) or np.array_equal(found[-1], whole[-RATE:]), "the rest is aligned with the end"


def test_twenty_seconds_give_two_windows(hk: Path) -> None:
    from leakear.edge.spectrogram import SpectrogramSpec

    long = next(r for r in dataset.load(hk) if "003_05593" in r.name)
    assert len(list(windows(long.path, SpectrogramSpec()))) == 2


def test_the_notebooks_rule_takes_the_first_window_of_the_whole_file(tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", leak=True, seconds=3)
    (clip,) = clips(one(path), dataclasses.replace(RECIPE, windows="first", copies=0))
    expected = encode(spectrogram(read_wav(path, SMALL)[:RATE], SMALL), SMALL)
    np.testing.assert_array_equal(clip.codes, expected)
    short = record(tmp_path / "b.wav", leak=True, seconds=0.5)
    (clip,) = clips(one(short), dataclasses.replace(RECIPE, windows="first", copies=0))
    assert (clip.codes[:, -5:] == 0).all(), "the notebook pads with silence"


def test_codes_are_the_int8_networks_resolution() -> None:
    decibels = np.array([SMALL.floor, SMALL.floor / 2, 0.0], np.float32)
    np.testing.assert_array_equal(encode(decibels, SMALL), [0, 128, 255])


def test_a_second_run_reads_the_cache(
    recordings: list[Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = features.build(recordings, RECIPE, tmp_path, jobs=1)
    assert len(first) == 24 * 3 * 3
    assert (first.copy == 0).sum() == 24 * 3
    row = int(np.flatnonzero((first.recording == 5) & (first.window == 1) & (first.copy == 2))[0])
    expected = [clip.codes for clip in clips(recordings[5], RECIPE)]
    np.testing.assert_array_equal(first.read([row])[0], expected[1 * 3 + 2])
    assert first.targets[row] == recordings[5].target
    assert first.names[row] == recordings[5].name

    monkeypatch.setattr(features, "_write", lambda *_: pytest.fail("computed again"))
    second = features.build(recordings, RECIPE, tmp_path, jobs=1)
    np.testing.assert_array_equal(second.read(range(len(second))), first.read(range(len(first))))


def test_an_interrupted_run_continues_and_damaged_shards_are_recomputed(
    recordings: list[Recording], tmp_path: Path
) -> None:
    complete = features.build(recordings, RECIPE, tmp_path, jobs=1)
    expected = complete.read(range(len(complete)))
    complete.files[1].with_suffix(".json").unlink()  # was being written when the power went
    damaged = bytearray(complete.files[2].read_bytes())
    damaged[100] ^= 1
    complete.files[2].write_bytes(damaged)
    complete.files[3].write_bytes(b"short")
    before = {path: path.stat().st_mtime_ns for path in complete.files}
    again = features.build(recordings, RECIPE, tmp_path, jobs=1)
    np.testing.assert_array_equal(again.read(range(len(again))), expected)
    renewed = [number for number, path in enumerate(complete.files) if path.stat().st_mtime_ns != before[path]]
    assert renewed == [1, 2, 3]


def test_other_recordings_copies_or_spectrograms_use_another_cache_folder(
    recordings: list[Recording], tmp_path: Path
) -> None:
    sets = [
        features.build(recordings[:4], RECIPE, tmp_path, jobs=1),
        features.build(recordings[:4], dataclasses.replace(RECIPE, seed=2), tmp_path, jobs=1),
        features.build(recordings[:4], RECIPE.plain, tmp_path, jobs=1),
        features.build(recordings[1:5], RECIPE, tmp_path, jobs=1),
    ]
    assert len({found.files[0].parent for found in sets}) == 4


def test_several_processes_give_the_same_features_as_one(recordings: list[Recording], tmp_path: Path) -> None:
    alone = features.build(recordings, RECIPE, tmp_path / "a", jobs=1)
    together = features.build(recordings, RECIPE, tmp_path / "b", jobs=2)
    np.testing.assert_array_equal(together.read(range(len(together))), alone.read(range(len(alone))))


BUILD = """
import sys
from pathlib import Path
from tests.support.sounds import SMALL
from leakear.train.data import dataset
from leakear.train.data import features
from leakear.train.data.clips import Recipe
if __name__ == "__main__":
    recordings, _ = dataset.fingerprint(dataset.load(Path(sys.argv[1])))
    recipe = Recipe(SMALL, copies=2000, augmentations=("mix",))
    features.build(recordings, recipe, Path(sys.argv[2]), jobs=2)
"""


def test_a_killed_run_leaves_no_worker_process(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "build.py").write_text(BUILD)
    command = [sys.executable, "build.py", str(folder), str(tmp_path / "cache")]
    process = subprocess.Popen(command, cwd=tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        wait_until(lambda: len(list((tmp_path / "cache").glob("*/*.u8"))) + len(parts(tmp_path)) >= 2)
        helpers = [Path("/proc") / pid for pid in children.read_text().split()]
    finally:
        process.kill()
        process.wait()
    assert len(helpers) >= 2
    wait_until(lambda: not any(helper.exists() for helper in helpers))


def parts(folder: Path) -> list[Path]:
    """Shards that are being written."""
    return [path for path in (folder / "cache").glob("*/*") if path.suffix not in {".u8", ".json"}]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_unreadable_recordings_are_reported_and_skipped(recordings: list[Recording], tmp_path: Path) -> None:
    whole = recordings[3].path.read_bytes()
    recordings[3].path.write_bytes(whole[: len(whole) // 2])
    recordings[7].path.write_bytes(b"no sound at all")
    found = features.build(recordings, RECIPE, tmp_path, jobs=1)
    assert [name for name, _ in found.skipped] == [recordings[3].name, recordings[7].name]
    assert "truncated" in found.skipped[0][1]
    assert len(found) == 22 * 3 * 3
    assert not {3, 7} & set(found.recording.tolist())


def test_a_recording_damaged_half_way_gives_no_windows(recordings: list[Recording], tmp_path: Path) -> None:
    """A NaN in the third second: the two windows before it must not count, nor shift the next recording's rows."""
    import soundfile

    samples = np.zeros(3 * RATE, np.float32)
    samples[-5] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, RATE, "FLOAT")
    bad = Recording(tmp_path / "nan.wav", "Leak", "nan.wav", sha256="00")
    recipe = dataclasses.replace(RECIPE.plain, seed=3)
    found = features.build([*recordings[:40:2], bad, recordings[1]] * 3, recipe, tmp_path / "cache", jobs=1)
    assert {name for name, _ in found.skipped} == {"nan.wav"}
    row = int(np.flatnonzero(found.recording == 13)[0])
    np.testing.assert_array_equal(found.read([row])[0], next(iter(clips(recordings[1], recipe))).codes)


def test_rows_of_some_recordings_can_be_taken_without_copies(recordings: list[Recording], tmp_path: Path) -> None:
    everything = features.build(recordings, RECIPE, tmp_path, jobs=1)
    held = everything.of(recordings[:3], copies=False)
    assert len(held) == 9
    assert set(held.names) == {r.name for r in recordings[:3]}
    assert not held.copy.any()
    assert len(everything.of(recordings[3:])) == 21 * 9


def test_shards_are_plain_bytes_for_memmap(recordings: list[Recording], tmp_path: Path) -> None:
    found = features.build(recordings, RECIPE, tmp_path, jobs=1)
    index = json.loads(found.files[0].with_suffix(".json").read_text())
    mapped = np.memmap(found.files[0], np.uint8, "r", shape=(len(index["rows"]), *SMALL.shape))
    np.testing.assert_array_equal(mapped[0], found.read([0])[0])
