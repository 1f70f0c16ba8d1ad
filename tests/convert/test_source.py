import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from leakear.convert import cli
from leakear.convert.source import float_logits, load
from leakear.edge.errors import InputDataError, ModelError
from leakear.edge.model import bundle
from leakear.edge.model.tflite import Model
from leakear.train.runfolder import save_examples
from tests.support.small_network import SPEC, Capture, examples, network, spectra


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's own network with its description: no run folder of ours."""
    folder = tmp_path_factory.mktemp("own")
    network(ending="sigmoid-noleak").save(folder / "mine.keras")  # type: ignore[attr-defined]
    save_examples(folder, "calibration.npz", examples(1, 40))
    save_examples(folder, "heldout.npz", examples(2, 20))
    describe(folder)
    return folder


def describe(folder: Path, name: str = "mine.json", **changed: object) -> Path:
    description = {
        "name": "mine",
        "spectrogram": SPEC.to_json(),
        "output_positive": "NoLeak",
        "threshold": 0.5,
        "calibration": "calibration.npz",
        "heldout": "heldout.npz",
    } | changed
    (folder / name).write_text(json.dumps({k: v for k, v in description.items() if v is not None}))
    return folder / name


def test_a_sigmoid_of_noleak_becomes_a_logit_of_leak(own: Path, tmp_path: Path) -> None:
    """The reference notebook's way round: its P(NoLeak) must not invert the alerts."""
    out = tmp_path / "mine.tflite"
    words = [str(own / "mine.keras"), "--spec", str(own / "mine.json"), "-o", str(out), "--calibration-windows", "40"]
    assert cli.main(words) == 0
    model = Model.load(out)
    codes, labels = spectra(8, 10)
    said = [model.score(window * np.float32(-SPEC.floor / 255) + np.float32(SPEC.floor)) for window in codes]
    assert min(np.array(said)[labels == 1]) > 0.5 > max(np.array(said)[labels == 0])
    assert bundle.read(out).info.raw["training"]["preset"] == "own"


def test_a_negated_logit_gives_one_minus_the_sigmoid(own: Path) -> None:
    import keras

    codes, _ = spectra(8, 10)
    original = keras.models.load_model(own / "mine.keras")
    no_leak = original.predict(codes[..., None] / np.float32(255), verbose=0)[:, 0]
    logits = float_logits(load(own / "mine.keras", own / "mine.json").network, codes)
    assert np.allclose(1 / (1 + np.exp(-logits)), 1 - no_leak, atol=1e-5)


def test_a_softmax_of_two_becomes_one_logit(own: Path) -> None:
    import keras

    network(ending="softmax").save(own / "two.keras")  # type: ignore[attr-defined]
    codes, _ = spectra(8, 10)
    expected = keras.models.load_model(own / "two.keras").predict(codes[..., None] / np.float32(255), verbose=0)[:, 1]
    logits = float_logits(load(own / "two.keras", describe(own, "two.json", output_positive="Leak")).network, codes)
    assert np.allclose(1 / (1 + np.exp(-logits)), expected, atol=1e-4)


def test_a_savedmodel_whose_output_is_the_logit_converts(own: Path, tmp_path: Path) -> None:
    built = network()
    built.export(tmp_path / "saved", verbose=False)  # type: ignore[attr-defined]
    spec = describe(own, "saved.json", output_positive="Leak")
    out = tmp_path / "saved.tflite"
    words = [str(tmp_path / "saved"), "--spec", str(spec), "-o", str(out), "--calibration-windows", "40"]
    assert cli.main(words) == 65  # whoever wrote it would run here
    assert not out.exists()
    assert cli.main([*words, "--trust-saved-model"]) == 0
    assert Model.load(out).info.model_id.startswith("mine-")


def refusal(own: Path, capsys: Capture, path: Path, spec: Path | None, code: int) -> str:
    words = [str(path), "-o", str(own / "never.tflite"), *(["--spec", str(spec)] if spec else [])]
    assert cli.main(words) == code
    assert not (own / "never.tflite").exists()
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_a_folder_that_is_not_a_savedmodel_is_refused(own: Path, capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    said = refusal(own, capsys, tmp_path, None, 65)
    assert "neither a run folder (it holds no run.json) nor a SavedModel (it holds no saved_model.pb)" in said
    (tmp_path / "saved_model.pb").write_bytes(b"nothing of the kind")
    assert "say --trust-saved-model" in refusal(own, capsys, tmp_path, own / "mine.json", 65)
    with pytest.raises(ModelError, match="is not a SavedModel that can be opened"):
        load(tmp_path, own / "mine.json", trust_saved_model=True)


def test_a_description_saved_by_a_windows_editor_is_read(own: Path, capsys: Capture) -> None:
    bom = own / "bom.json"
    bom.write_bytes(b"\xef\xbb\xbf" + (own / "mine.json").read_bytes())
    assert load(own / "mine.keras", bom).info.name == "mine"
    bom.write_bytes((own / "mine.json").read_text().encode("utf-16"))
    assert "save it as UTF-8" in refusal(own, capsys, own / "mine.keras", bom, 65)


def test_a_file_that_is_not_a_keras_model_is_refused(own: Path, capsys: Capture) -> None:
    (own / "text.keras").write_text("no model")
    assert "is not a Keras model" in refusal(own, capsys, own / "text.keras", own / "mine.json", 78)
    data = (own / "mine.keras").read_bytes()
    (own / "half.keras").write_bytes(data[: len(data) // 2])
    assert "is not a Keras model" in refusal(own, capsys, own / "half.keras", own / "mine.json", 78)


def test_a_network_without_description_is_refused(own: Path, capsys: Capture) -> None:
    assert "--spec FILE.json" in refusal(own, capsys, own / "mine.keras", None, 65)
    assert "does not exist" in refusal(own, capsys, own / "nothing.keras", None, 65)


@pytest.mark.parametrize(
    ("changed", "words", "code"),
    [
        ({"calibration": None}, "lacks 'calibration'", 65),
        ({"calibration": "nowhere.npz"}, "nowhere.npz cannot be read", 65),
        ({"epochs": 3}, "unknown key 'epochs'", 65),
        ({"spectrogram": SPEC.to_json() | {"reference": "loudest"}}, "reference", 65),
        (
            {"spectrogram": SPEC.to_json() | {"hop_length": 512}},
            "the network takes (223, 65, 1), its spectrogram is",
            78,
        ),
        ({"output_positive": "leak"}, 'say "Leak" or "NoLeak"', 78),
    ],
)
def test_the_error_for_a_wrong_description_says_where(
    own: Path, capsys: Capture, changed: dict[str, object], words: str, code: int
) -> None:
    assert words in refusal(own, capsys, own / "mine.keras", describe(own, "bad.json", **changed), code)


def test_unsuitable_networks_are_refused_with_the_reason(own: Path, capsys: Capture) -> None:
    import keras
    from keras import layers

    inputs = keras.Input((*SPEC.shape, 1))
    pooled = layers.GlobalAveragePooling2D()(inputs)
    second = keras.Input((4,))
    bad = {
        "three": (keras.Model(inputs, layers.Dense(3)(pooled)), "leakear needs one output, or two"),
        "tanh": (keras.Model(inputs, layers.Dense(1, activation="tanh")(pooled)), "ends in tanh"),
        "inputs": (keras.Model([inputs, second], layers.Dense(1)(layers.Concatenate()([pooled, second]))), "2 inputs"),
        "conv": (keras.Model(inputs, layers.Activation("sigmoid")(pooled)), "does not end in a Dense layer"),
    }
    for name, (built, words) in bad.items():
        built.save(own / f"{name}.keras")
        assert words in refusal(own, capsys, own / f"{name}.keras", own / "mine.json", 78)


def test_an_activation_layer_after_the_last_dense_is_removed(own: Path) -> None:
    import keras
    from keras import layers

    inputs = keras.Input((*SPEC.shape, 1))
    dense = layers.Dense(1)(layers.GlobalAveragePooling2D()(inputs))
    keras.Model(inputs, layers.Activation("sigmoid")(dense)).save(own / "apart.keras")
    codes, _ = spectra(8, 4)
    logits = float_logits(load(own / "apart.keras", describe(own, "apart.json", output_positive="Leak")).network, codes)
    expected = keras.models.load_model(own / "apart.keras").predict(codes[..., None] / np.float32(255), verbose=0)
    assert np.allclose(1 / (1 + np.exp(-logits)), expected[:, 0], atol=1e-5)


def test_a_run_folder_without_network_or_split_is_refused(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    (folder / "split.json").write_text("{}")
    with pytest.raises(InputDataError, match=r"split\.json cannot be read"):
        load(folder)
    (folder / "model.keras").unlink()
    with pytest.raises(InputDataError, match=r"holds no model\.keras"):
        load(folder)


def test_windows_of_another_shape_are_refused(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    known = examples(1, 10)
    save_examples(folder, "heldout.npz", type(known)(known.codes[:, :, :-1], known.labels, known.files))
    with pytest.raises(ModelError, match="held-out windows are uint8"):
        load(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system that is nearly full."""
    if os.geteuid() != 0:
        pytest.skip("a file system of its own needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_no_partial_file(run_folder: Path, small_disk: Path, capsys: Capture) -> None:
    old = b"the model that works"
    (small_disk / "m.tflite").write_bytes(old)
    (small_disk / "ballast").write_bytes(bytes(4096))
    assert cli.main([str(run_folder), "-o", str(small_disk / "m.tflite"), "--calibration-windows", "40"]) == 1
    assert "m.tflite cannot be written: No space left on device; nothing was left behind" in capsys.readouterr().err
    assert (small_disk / "m.tflite").read_bytes() == old
    assert sorted(path.name for path in small_disk.iterdir()) == ["ballast", "m.tflite"]


def test_a_missing_folder_gives_one_sentence(converted: Path, tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["sign", "--new-key", str(tmp_path / "k")]) == 0
    words = ["sign", str(converted), "--key", str(tmp_path / "k.private.pem"), "-o", str(tmp_path / "no" / "m.tflite")]
    assert cli.main(words) == 1
    assert "cannot be written: No such file or directory" in capsys.readouterr().err
