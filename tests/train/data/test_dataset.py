import hashlib
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sklearn.model_selection import train_test_split

from leakear.edge.errors import InputDataError
from leakear.train.data import dataset
from leakear.train.data.dataset import Recording
from leakear.train.data.split import split
from tests.support.places import ROOT
from tests.support.sounds import record

NOTEBOOK = ROOT.parent / "shared" / "reference" / "linear_spectrogram_notebook.txt"


def manifest(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_class_folders_follow_the_notebooks_prefix_rule(tmp_path: Path) -> None:
    for name in ("Leak-Metal/a.wav", "NoLeak-Metal/b.wav", "NoLeak/c.wav", "Pump/d.wav"):
        record(tmp_path / name, leak=True)
    (tmp_path / "Leak-Metal" / "notes.txt").write_text("no sound")
    labels = {r.name: r.label for r in dataset.load(tmp_path)}
    assert labels == {
        "Leak-Metal/a.wav": "Leak",
        "NoLeak-Metal/b.wav": "NoLeak",
        "NoLeak/c.wav": "NoLeak",
        "Pump/d.wav": "Leak",
    }


def test_the_manifest_in_the_data_folder_is_used(hk: Path) -> None:
    found = dataset.load(hk)
    assert len(found) == 60
    assert sum(r.target for r in found) == 30
    assert {r.fold for r in found} == {0, 1, 2, 3, 4}
    assert len({r.site for r in found}) == 32
    with_hash, bad = dataset.fingerprint(found)
    assert not bad
    groups = dict(zip((r.name for r in with_hash), dataset.groups(with_hash), strict=True))
    twins = [name for name in groups if "12846" in name or "12865" in name]
    assert len(twins) == 2
    assert len({groups[name] for name in twins}) == 1, "the byte-identical pair could stand on both sides of a split"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["path,label", "a.wav,Leaky"], "line 2"),
        (["thing,label", "a.wav,Leak"], "columns `path` and `label`"),
        (["path,label,fold", "a.wav,Leak,one"], "not a whole number"),
        (["path,label", "a.wav,Leak"], "class NoLeak"),
        (["path,label", "b.wav,NoLeak"], "class Leak:"),
        (["path,label"], "class NoLeak"),
    ],
)
def test_an_unusable_manifest_is_refused_in_one_sentence(tmp_path: Path, lines: list[str], said: str) -> None:
    file = manifest(tmp_path / "m.csv", *lines)
    with pytest.raises(InputDataError, match=r"m\.csv") as refused:
        dataset.load(tmp_path, file)
    assert said in str(refused.value)


def test_missing_and_changed_files_are_reported(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav"):
        record(tmp_path / name, leak=True, seed=ord(name[0]))
    digest = hashlib.sha256((tmp_path / "a.wav").read_bytes()).hexdigest()
    file = manifest(
        tmp_path / "m.csv",
        "path,label,sha256",
        f"a.wav,Leak,{digest}",
        f"b.wav,Leak,{digest}",
        "c.wav,NoLeak,",
        "d.wav,Leak,",
    )
    good, bad = dataset.fingerprint(dataset.load(tmp_path, file))
    assert [r.name for r in good] == ["a.wav", "c.wav"]
    assert [name for name, _ in bad] == ["b.wav", "d.wav"]
    assert "sha256 differs" in bad[0][1]
    assert "No such file" in bad[1][1]


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="class NoLeak"):
        dataset.load(tmp_path)
    with pytest.raises(InputDataError, match="not a folder"):
        dataset.load(tmp_path / "nowhere")


def test_a_split_by_site_has_no_site_on_both_sides(recordings: list[Recording]) -> None:
    for seed in range(20):
        divided = split(recordings, "site", seed)
        assert not {r.site for r in divided.train} & {r.site for r in divided.validation}
        assert {r.label for r in divided.train} == {r.label for r in divided.validation} == {"Leak", "NoLeak"}
    assert len({tuple(split(recordings, "site", seed).validation) for seed in range(20)}) > 5, "the seed has no effect"
    assert split(recordings, "site", 3) == split(recordings, "site", 3)


def test_a_file_with_two_names_is_on_one_side(recordings: list[Recording]) -> None:
    twin = replace(recordings[0], name="copy.wav", site="elsewhere")
    for seed in range(20):
        divided = split([*recordings, twin], "site", seed)
        assert (twin in divided.train) == (recordings[0] in divided.train)


def test_the_manifests_own_folds_can_be_held_out(recordings: list[Recording]) -> None:
    divided = split(recordings, fold=1)
    assert {r.fold for r in divided.validation} == {1}
    assert 1 not in {r.fold for r in divided.train}
    with pytest.raises(InputDataError, match=r"folds are \[0, 1, 2\]"):
        split(recordings, fold=7)


def test_a_split_by_file_equals_the_notebooks(hk: Path) -> None:
    divided = split(dataset.load(hk), "file", 42)
    assert (len(divided.train), len(divided.validation)) == (48, 12)
    assert sum(r.target for r in divided.validation) == 6


def by_the_notebook(data: Path, order: Callable[[list[str]], list[str]]) -> dict[str, dict[str, str]]:
    """Run the notebook's own lines over a folder; return side → file → label. `order`: of the names that it lists."""
    text = NOTEBOOK.read_text(encoding="utf-8")
    lines = text[text.index("# --- Get all file paths") : text.index('print(f"Training files')]
    listing = SimpleNamespace(path=os.path, listdir=lambda folder: order([p.name for p in Path(folder).iterdir()]))
    found: dict[str, Any] = {"os": listing, "train_test_split": train_test_split, "BASE_AUDIO_PATH": data}
    exec(lines, found)
    names = {"train": ("train_files", "train_labels"), "validation": ("val_files", "val_labels")}
    return {
        side: {Path(path).relative_to(data).as_posix(): label for path, label in zip(found[a], found[b], strict=True)}
        for side, (a, b) in names.items()
    }


@pytest.mark.skipif(not NOTEBOOK.is_file(), reason="the reference notebook is not here: ../shared/reference")
@pytest.mark.parametrize("order", [sorted, list, lambda names: sorted(names, reverse=True)])
def test_the_notebooks_folders_give_its_files_labels_and_split(
    tmp_path: Path, order: Callable[[list[str]], list[str]]
) -> None:
    """In alphabetical order exactly its split; in another, which the disk decides there, as many of each class."""
    counts = {"Leak": 3, "Leak-Metal": 8, "Leak-NonMetal": 6, "NoLeak-Metal": 9, "NoLeak-Soil": 5}
    for kind, count in counts.items():
        for number in range(count):
            record(tmp_path / kind / f"{kind.lower()}_{number}.wav", leak=kind.startswith("Leak"), seed=number)
        (tmp_path / kind / "notes.txt").write_text("no sound")
    theirs = by_the_notebook(tmp_path, order)
    divided = split(dataset.load(tmp_path), "file", 42)
    sides = {"train": divided.train, "validation": divided.validation}
    ours = {side: {r.name: r.label for r in part} for side, part in sides.items()}
    assert ours["train"] | ours["validation"] == theirs["train"] | theirs["validation"]
    for side, files in theirs.items():
        assert Counter(ours[side].values()) == Counter(files.values())
    assert (ours == theirs) == (order is sorted) or order is list


def test_a_split_by_site_needs_sites_of_each_class(recordings: list[Recording]) -> None:
    with pytest.raises(InputDataError, match="has none: give --manifest"):
        split([replace(r, site=None) for r in recordings])
    with pytest.raises(InputDataError, match="two sites of each class"):
        split([r for r in recordings if r.target or r.site == "s00"])


def test_a_site_pattern_that_finds_nothing_is_refused(folder: Path) -> None:
    with pytest.raises(InputDataError, match="finds no site"):
        dataset.load(folder, site_pattern=r"logger(\d+)")
    with pytest.raises(InputDataError, match="one group"):
        dataset.load(folder, site_pattern=r"s\d+")
