"""What a data set holds: labels of folders, tables of spreadsheets, copies, and recordings that are no use."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.edge.errors import InputDataError
from leakear.train.data import dataset
from leakear.train.data.collection import fingerprints, labels, prepare
from leakear.train.data.dataset import Listed, Recording
from leakear.train.data.split import joined, split
from tests.support.sounds import RATE, SMALL, record, sound


@pytest.mark.parametrize("name", ["no-leak", "noleak", "No Leak", "NO_LEAK", "NL", "Sem vazamento", "non-leak"])
def test_another_spelling_of_no_leak_is_refused(tmp_path: Path, name: str) -> None:
    record(tmp_path / name / "a.wav", leak=False)
    with pytest.raises(InputDataError, match=r"seems to mean NoLeak.*--label"):
        dataset.listed(tmp_path)
    found = dataset.listed(tmp_path, labels={name: "NoLeak"})
    assert [r.label for r in found.recordings] == ["NoLeak"]
    assert found.lines == [f"{name} → NoLeak, 1  (--label)"]


def test_all_other_spellings_are_named_at_once(tmp_path: Path) -> None:
    for name in ("no-leak", "No Leak", "Leak"):
        record(tmp_path / name / "a.wav", leak=False)
    with pytest.raises(InputDataError) as caught:
        dataset.listed(tmp_path)
    assert "the folders No Leak, no-leak seem to mean NoLeak" in str(caught.value)
    assert str(caught.value).endswith("or give --label 'No Leak=NoLeak' --label no-leak=NoLeak")


def test_each_folder_is_shown_and_what_is_not_taken_is_counted(tmp_path: Path) -> None:
    for name in (
        "Leak/a.wav",
        "NoLeak/b.wav",
        "NoLeak/day2/c.wav",
        "Pump/d.wav",
        "top.wav",
        ".hidden/e.wav",
        "Leak/._a.wav",
    ):
        record(tmp_path / name, leak=True)
    (tmp_path / "Leak" / "x.xyz").write_bytes(b"?")
    (tmp_path / "lost+found").mkdir(mode=0o700)
    found = dataset.listed(tmp_path)
    assert [r.label for r in found.recordings] == ["Leak", "NoLeak", "NoLeak", "Leak"]
    assert found.lines[:3] == ["Leak → Leak, 1", "NoLeak → NoLeak, 1", "NoLeak/day2 → NoLeak, 1"]
    assert found.lines[3].startswith("Pump → Leak, 1  (a name that does not begin")
    assert (
        found.lines[4]
        == "3 not taken: 1 folder lost+found (of the system), 1 in no class folder, 1 with the ending .xyz"
    )


def test_folders_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    record(tmp_path / "Leak" / "NoLeak" / "a.wav", leak=True)
    with pytest.raises(InputDataError, match="contradict"):
        dataset.listed(tmp_path)


def test_a_label_of_the_table_can_be_mapped() -> None:
    assert labels.of_cell("1.0", "label", {"1": "Leak"}) == "Leak"
    assert labels.mapping("Sem vazamento=noleak") == ("Sem vazamento", "NoLeak")


def prepared(folder: Path) -> prepare.Prepared:
    return prepare.prepare(dataset.listed(folder), SMALL, "mix", folder / "cache", 1)


def test_one_sound_under_both_labels_is_refused_with_both_names(tmp_path: Path) -> None:
    first = record(tmp_path / "Leak" / "a.wav", leak=True)
    samples, rate = soundfile.read(first)
    (tmp_path / "NoLeak").mkdir()
    soundfile.write(tmp_path / "NoLeak" / "b.flac", samples, rate)
    with pytest.raises(InputDataError, match=r"NoLeak/b\.flac is Leak/a\.wav under the other label"):
        prepared(tmp_path)


def test_what_a_node_would_call_a_fault_is_left_out_by_name(tmp_path: Path) -> None:
    for number in range(2):
        record(tmp_path / "Leak" / f"{number}.wav", leak=True, seed=number)
        record(tmp_path / "NoLeak" / f"{number}.wav", leak=False, seed=10 + number)
    soundfile.write(tmp_path / "Leak" / "silent.wav", np.zeros(3 * RATE), RATE)
    loud = 2000 * sound(3, np.random.default_rng(1), leak=True)
    soundfile.write(tmp_path / "Leak" / "unscaled.wav", loud, RATE, "FLOAT")
    soundfile.write(tmp_path / "Leak" / "clipped.wav", np.clip(loud, -1, 1), RATE)
    record(tmp_path / "Leak" / "short.wav", leak=True, seconds=0.5)
    found = dict(prepared(tmp_path).left_out)
    assert sorted(found) == ["Leak/clipped.wav", "Leak/short.wav", "Leak/silent.wav", "Leak/unscaled.wav"]
    assert found["Leak/short.wav"] == "lasts 0.50 s, and 1 s are needed; record longer"
    assert "digital_silence" in found["Leak/silent.wav"]
    assert "nan" in found["Leak/unscaled.wav"]
    assert "clipping" in found["Leak/clipped.wav"]


def test_a_channel_that_is_silent_is_told(tmp_path: Path) -> None:
    for label, leak in (("Leak", True), ("NoLeak", False)):
        (tmp_path / label).mkdir()
        right = sound(3, np.random.default_rng(int(leak)), leak=leak)
        soundfile.write(tmp_path / label / "a.wav", np.stack([0 * right, right], axis=1), RATE)
    lines = list(prepared(tmp_path).lines())
    assert lines[0] == "2 recordings have 2 channels; heard: the mean of all channels (--channel N|mix|all)"
    assert lines[1] == "channel 1 of 2 recordings is digital silence"
    listed = dataset.listed(tmp_path)
    with pytest.raises(InputDataError, match="digital_silence"):
        prepare.prepare(listed, SMALL, 1, tmp_path / "cache", 1)


def test_near_copies_are_found_and_unrelated_sound_is_not() -> None:
    import soxr

    def print_of(samples: np.ndarray, rate: int) -> str:
        stream = fingerprints.Stream(rate)
        stream.push(samples.astype(np.float32))
        return stream.hex()

    rng = np.random.default_rng(0)
    a, b = (0.05 * rng.standard_normal(22050 * 10) for _ in range(2))
    changed = [
        (a[33333:200000] * 0.3, 22050),
        (soxr.resample(a, 22050, 48000), 48000),
        (soxr.resample(b, 22050, 2000), 2000),
    ]
    slow = [(soxr.resample(rng.standard_normal(22050 * 10), 22050, 2000), 2000) for _ in range(2)]
    prints = [print_of(x, rate) for x, rate in ((a, 22050), (b, 22050), *changed, *slow)]
    assert fingerprints.alike(prints) == [(0, 2), (0, 3), (1, 4), (2, 3)]


def test_copies_stay_on_one_side_of_a_split_by_file() -> None:
    recordings = [
        Recording(Path(f"{k}.wav"), "Leak" if k % 2 else "NoLeak", f"{k}.wav", same="0.wav" if k in (0, 2, 4) else "")
        for k in range(40)
    ]
    for seed in range(20):
        divided = split(recordings, "file", seed)
        sides = {r.name in {v.name for v in divided.validation} for r in recordings if r.same}
        assert len(sides) == 1


def test_copies_that_join_the_sites_are_named_where_a_split_by_site_is_impossible() -> None:
    recordings = [
        Recording(
            Path(f"{k}.wav"), "Leak" if k % 2 else "NoLeak", f"{k}.wav", site=f"s{k // 4}",
            same="0.wav" if k in (0, 4, 8) else "",
        )
        for k in range(12)
    ]  # fmt: skip
    with pytest.raises(InputDataError, match=r"make one site of s0, s1, s2: keep one of 0.wav, 4.wav, 8.wav$"):
        split(recordings)
    assert len(list(joined(recordings))) == 1
    assert not list(joined(recordings[:4])), "copies at one place join nothing"


def test_a_bad_background_is_named_and_costs_no_recording(tmp_path: Path) -> None:
    record(tmp_path / "rain.wav", leak=False)
    (tmp_path / "._rain.wav").write_bytes(b"junk")
    (tmp_path / "bad.wav").write_bytes(b"junk")
    good, bad = prepare.backgrounds(tmp_path, SMALL, tmp_path / "cache", 1)
    assert [path.name for path in good] == ["rain.wav"]
    assert sorted(name for name, _ in bad) == ["._rain.wav", "bad.wav"]


def test_where_nothing_is_left_the_first_reasons_are_shown(tmp_path: Path) -> None:
    listed = Listed([Recording(tmp_path / "x.wav", "Leak", "x.wav")], [], "the table")
    with pytest.raises(InputDataError, match=r"1 were left out: x\.wav: No such file"):
        prepare.prepare(listed, SMALL, "mix", tmp_path, 1)
