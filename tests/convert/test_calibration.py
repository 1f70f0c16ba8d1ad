import shutil
from pathlib import Path

import numpy as np
import pytest

from leakear.convert import cli
from leakear.convert.quantising import calibration as sets
from leakear.convert.quantising.flatbuffer import logit_scale
from leakear.convert.quantising.quantise import quantise
from leakear.convert.source import float_logits
from leakear.convert.verifying import runtimes
from leakear.convert.verifying.verify import check_range
from leakear.edge.errors import InputDataError, ModelError
from leakear.edge.spectrogram import SpectrogramSpec
from leakear.train.runfolder import CALIBRATION, Examples, save_examples
from tests.support.small_network import SPEC, Capture, examples, network, spectra


def choose(count: int = 40, seed: int = 1) -> sets.Calibration:
    known = examples(5, 30)
    return sets.choose(known.codes, known.labels, known.files, SPEC, count=count, seed=seed)


def test_classes_and_sites_are_balanced() -> None:
    """Whatever the recordings were: three quarters of them stem from one site a class, the rest from four others."""
    known = examples(5, 30)
    sites = [f"{label}-{0 if i < 45 else i % 4 + 1}" for i, label in enumerate(known.labels)]
    chosen = sets.choose(known.codes, known.labels, sites, SPEC, count=36, seed=1)
    assert (chosen.labels == 1).sum() == (chosen.labels == 0).sum() == 18
    counts = [chosen.sites.count(site) for site in set(sites)]
    assert len(counts) == 6
    assert max(counts) - min(counts) <= 1


def test_the_set_has_every_circumstance_and_silence() -> None:
    assert set(choose(60).to_json()["circumstances"]) == {"as heard", "silence", *sets.CIRCUMSTANCES}


def test_equal_seeds_give_equal_sets_and_digests() -> None:
    assert choose(seed=1).digest == choose(seed=1).digest != choose(seed=2).digest


def test_the_input_step_is_1_in_255() -> None:
    chosen = choose()
    assert chosen.codes.min() == 0
    assert chosen.codes.max() == 255


@pytest.mark.parametrize("label", [0, 1])
def test_a_set_of_one_class_is_refused(label: int) -> None:
    known = examples(5, 30)
    one = known.labels == label
    with pytest.raises(InputDataError, match=f"no {('Leak', 'NoLeak')[label]} window"):
        sets.choose(known.codes[one], known.labels[one], np.array(known.files)[one], SPEC, count=40, seed=1)


def test_a_run_of_one_class_gives_exit_code_65(run_folder: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    known = examples(1, 30)
    one = known.labels == 0
    save_examples(folder, CALIBRATION, Examples(known.codes[one], known.labels[one], tuple(np.array(known.files)[one])))
    out = tmp_path / "out.tflite"
    assert cli.main([str(folder), "-o", str(out)]) == 65
    assert "no Leak window" in capsys.readouterr().err
    assert not out.exists()


def test_a_logit_calibrated_on_one_class_is_refused() -> None:
    """The measured trap: calibrated on NoLeak alone the logit ends near zero and no leak could ever fire."""
    built = network()
    codes, labels = spectra(5, 40)
    floating = float_logits(built, codes)
    one_class = logit_scale(quantise(built, "int8", codes[labels == 0]))
    both = logit_scale(quantise(built, "int8", codes))
    check_range(both, floating, "m")
    with pytest.raises(ModelError, match="saturate"):
        check_range(one_class, floating, "m")
    newest = runtimes.known()[0]
    fired = runtimes.require(runtimes.score(newest, quantise(built, "int8", codes[labels == 0]), codes[labels == 1]))
    assert fired.max() < floating[labels == 1].min()


def test_each_circumstance_changes_the_spectrogram_accordingly() -> None:
    rng = np.random.default_rng(0)
    codes, _ = spectra(5, 1)
    window = codes[1]
    level = window.astype(float).mean()
    assert sets.alter(window, "quiet", SPEC, rng).astype(float).mean() < level - 30
    assert sets.alter(window, "loud", SPEC, rng).max() > 240
    assert sets.alter(window, "clipped", SPEC, rng).astype(float).mean() > level
    clicked = sets.alter(window, "clicked", SPEC, rng).astype(float)
    assert (clicked.mean(axis=0) > window.astype(float).mean(axis=0) + 5).any()
    row = int(np.argmin(np.abs(SPEC.frequencies - 50)))
    assert sets.alter(window, "hum", SPEC, rng)[row - 2 : row + 3].max() > 220


def test_under_the_maximum_reference_the_strongest_cell_stays_at_the_top() -> None:
    spec = SpectrogramSpec("max", 4096, 4.0, 512, 256, band_hz=(20.0, 1800.0))
    codes, _ = spectra(5, 1)
    for kind in sets.CIRCUMSTANCES:
        assert sets.alter(codes[1], kind, spec, np.random.default_rng(0)).max() == 255
