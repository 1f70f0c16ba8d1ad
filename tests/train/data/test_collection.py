"""What a data set holds: labels of folders, tables of spreadsheets, copies, and recordings that are no use."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.edge.errors import InputDataError
from leakear.train.data import dataset
from leakear.train.data.collection import duplicates, fingerprints, labels, prepare, survey
from leakear.train.data.collection.duplicates import Same
from leakear.train.data.dataset import Listed, Recording
from leakear.train.data.split import joined, split
from tests.support.sounds import RATE, SMALL, record, sound

SPELLINGS = ["no-leak", "noleak", "No Leak", "NO_LEAK", "NL", "Sem vazamento", "non-leak", "sin fuga", "pas de fuite",
             "kein Leck", "0", "background", "ok", "não há vazamento", "ninguna fuga",
             "aucune fuite", "ruído"]  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_another_spelling_of_no_leak_is_refused(tmp_path: Path, name: str) -> None:
    record(tmp_path / name / "a.wav", leak=False)
    with pytest.raises(InputDataError, match=r"seems to mean NoLeak.*--label"):
        dataset.listed(tmp_path)
    found = dataset.listed(tmp_path, labels={name: "NoLeak"})
    assert [r.label for r in found.recordings] == ["NoLeak"]
    assert found.lines == [f"{name} → NoLeak, 1  (--label)"]


@pytest.mark.parametrize("name", ["não sei", "Unknown", "no sé", "prédio?"])
def test_a_folder_of_unknown_class_is_refused(tmp_path: Path, name: str) -> None:
    record(tmp_path / name / "a.wav", leak=True)
    with pytest.raises(InputDataError, match=r"is not known: move it elsewhere, or give --label .*=Leak'? or =NoLeak"):
        dataset.listed(tmp_path)


def test_a_blank_at_the_end_of_a_folder_does_not_matter_to_the_option(tmp_path: Path) -> None:
    record(tmp_path / "ok " / " b" / "a.wav", leak=False)
    with pytest.raises(InputDataError, match=r"--label ok=NoLeak$"):
        dataset.listed(tmp_path)
    assert dataset.listed(tmp_path, labels={"ok": "NoLeak"}).lines == ["ok / b → NoLeak, 1  (--label)"]
    with pytest.raises(InputDataError, match=r"holds no such folder with sound files, only b, ok$"):
        dataset.listed(tmp_path, labels={"ok": "NoLeak", "Ok": "NoLeak"})


@pytest.mark.parametrize(
    ("cell", "label"),
    [("vazamento", "Leak"), ("Fugas", "Leak"), ("pérdida de agua", "Leak"), ("não tem vazamento", "NoLeak"),
     ("no hay una fuga", "NoLeak"), ("nenhum vazamento", "NoLeak"), ("vazamento?", None), ("nº 5 vazamento", None)],
)  # fmt: skip
def test_a_cell_is_read_in_the_words_of_a_technician(cell: str, label: str | None) -> None:
    assert labels.of_cell(cell, "Classe", {}) == label


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


def test_folders_that_mean_leak_in_another_language_are_taken_without_a_remark(tmp_path: Path) -> None:
    for name in ("Fugas", "Vazamento", "fuite", "NoLeak"):
        record(tmp_path / name / "a.wav", leak=True)
    lines = dataset.listed(tmp_path).lines
    assert lines == ["Fugas → Leak, 1", "NoLeak → NoLeak, 1", "Vazamento → Leak, 1", "fuite → Leak, 1"]


def test_a_quiet_hour_of_a_leak_is_a_leak(tmp_path: Path) -> None:
    record(tmp_path / "Leak" / "background" / "a.wav", leak=True)
    assert [r.label for r in dataset.listed(tmp_path).recordings] == ["Leak"]


def test_where_no_folder_is_noleak_the_option_is_there_to_copy(tmp_path: Path) -> None:
    record(tmp_path / "Haus B" / "a.wav", leak=True)
    with pytest.raises(InputDataError, match=r"for example --label 'Haus B=NoLeak'$"):
        dataset.load(tmp_path)


def test_a_pipe_among_the_recordings_is_counted_and_not_waited_for(tmp_path: Path) -> None:
    record(tmp_path / "Leak" / "a.wav", leak=True)
    os.mkfifo(tmp_path / "Leak" / "b.wav")
    found = dataset.listed(tmp_path)
    assert found.lines == ["Leak → Leak, 1", "1 not taken: 1 that is a pipe or a device"]
    (tmp_path / "t.csv").write_text("path,label\nLeak/a.wav,Leak\nLeak/b.wav,Leak\n")
    named = dataset.listed(tmp_path, tmp_path / "t.csv").recordings
    assert survey.survey(named, SMALL, "mix", tmp_path / "cache", 1)[1].error == "is no file; name a recording"


@pytest.mark.parametrize("outer", ["Leak", "Vazamentos"])
def test_folders_that_contradict_each_other_are_refused(tmp_path: Path, outer: str) -> None:
    record(tmp_path / outer / "NoLeak" / "a.wav", leak=True)
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


@pytest.mark.parametrize("change", ["half the gain", "another rate", "stereo", "cut"])
@pytest.mark.parametrize("seconds", [1.2, 2.0])
def test_a_short_sound_under_both_labels_is_told_whatever_was_done_to_it(
    tmp_path: Path, change: str, seconds: float
) -> None:
    import soxr

    rng = np.random.default_rng(3)
    for label in ("Leak", "NoLeak"):
        (tmp_path / label).mkdir()
        for number in range(4):  # unrelated ones
            soundfile.write(tmp_path / label / f"{number}.wav", 0.1 * rng.standard_normal(round(seconds * RATE)), RATE)
    samples = 0.1 * rng.standard_normal(round(seconds * RATE))
    changed = {
        "half the gain": (0.5 * samples, RATE),
        "another rate": (soxr.resample(samples, RATE, 11025), 11025),
        "stereo": (np.stack([samples, samples], axis=1), RATE),
        "cut": (samples[round(0.05 * seconds * RATE) :], RATE),
    }
    soundfile.write(tmp_path / "Leak" / "a.wav", samples, RATE)
    soundfile.write(tmp_path / "NoLeak" / "b.wav", *changed[change])
    names = "Leak/a.wav, NoLeak/b.wav seem to hold the same sound (cut, resampled or with another gain)"
    assert [line for line in prepared(tmp_path).lines() if "same sound" in line] == [f"{names}, under both labels"]


def test_short_unrelated_sounds_are_no_copies() -> None:
    rng = np.random.default_rng(4)
    prints = []
    for number in range(120):
        stream = fingerprints.Stream(RATE)
        stream.push(sound(1.0 + number / 60, rng, leak=number % 2 == 0).astype(np.float32))
        prints.append(stream.hex())
    assert fingerprints.alike(prints) == []


def test_copies_are_told_in_groups() -> None:
    def same(first: str, second: str, *, exact: bool) -> Same:
        return Same(*(Recording(Path(n), n.split("/")[0], n) for n in (first, second)), exact=exact)

    changed = "cut, resampled or with another gain"
    near = [same(f"Leak/{a}.wav", f"Leak/{b}.wav", exact=False) for a in range(7) for b in range(a + 1, 7)]
    found = [same("Leak/a.wav", "Leak/b.wav", exact=True), *near, same("Leak/x.wav", "NoLeak/y.wav", exact=False)]
    assert list(duplicates.lines(found)) == [
        "Leak/a.wav, Leak/b.wav hold the same sound",
        "1 group of copies, 2 recordings: a split keeps each group on one side",
        f"{', '.join(f'Leak/{n}.wav' for n in range(5))} and 2 more seem to hold the same sound ({changed})",
        f"Leak/x.wav, NoLeak/y.wav seem to hold the same sound ({changed}), under both labels",
        "2 groups of near copies, 9 recordings: a split keeps each group on one side",
    ]


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
