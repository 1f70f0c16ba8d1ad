import json
from pathlib import Path

import numpy as np
import pytest

from leakear.train import cli
from leakear.train.data.representations import REPRESENTATIONS, pooled


def test_every_representation_keeps_the_level_of_noise() -> None:
    noise = 0.01 * np.random.default_rng(0).standard_normal(220500).astype(np.float32)
    quiet, loud = noise, 10 * noise
    for name, (_, make) in REPRESENTATIONS.items():
        assert np.median(make(loud) - make(quiet)) == pytest.approx(20, abs=0.1), name


def test_each_representation_has_its_number_of_rows() -> None:
    silence = np.zeros(220500, np.float32)
    rows = {name: len(make(silence)) for name, (_, make) in REPRESENTATIONS.items()}
    assert (rows["linear"], rows["grouped"], rows["mel"], rows["notebook-mel"]) == (2049, 512, 256, 128)
    assert 256 < rows["hybrid"] < 512


def test_a_tone_is_at_its_frequency_in_every_representation() -> None:
    tone = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(220500) / 22050)).astype(np.float32)
    assert REPRESENTATIONS["linear"][1](tone).mean(axis=1).argmax() == round(1000 * 4096 / 22050)
    assert REPRESENTATIONS["hybrid"][1](tone).mean(axis=1).argmax() == round(1000 * 4096 / 22050)
    assert REPRESENTATIONS["grouped"][1](tone).mean(axis=1).argmax() == round(1000 * 4096 / 22050) // 4


def test_with_reference_max_the_level_has_no_effect() -> None:
    decibels = np.random.default_rng(0).uniform(-60, -30, (8, 32)).astype(np.float32)
    assert np.allclose(pooled(decibels, 8, "max"), pooled(decibels - 10, 8, "max"), atol=1e-6)
    assert not np.allclose(pooled(decibels, 8, "full-scale"), pooled(decibels - 10, 8, "full-scale"))
    assert pooled(decibels, 8, "max").shape == (8, 4)


def test_the_comparison_prints_and_writes_its_table(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--representation", "notebook-mel", "--seeds", "2", "--split", "file"]
    networks = ["--network", "logistic", "--network", "notebook", "--epochs", "1", "--pool", "16"]
    assert cli.main(["compare", str(folder), *arguments, *networks, "-o", str(tmp_path / "out")]) == 0
    results = json.loads((tmp_path / "out" / "compare.json").read_text())["results"]
    assert [(r["network"], r["split"], r["rows"], len(r["auc"])) for r in results] == [
        ("logistic", "file", 128, 2),
        ("notebook", "file", 128, 2),
    ]
    assert "| 128 mel bands" in capsys.readouterr().out
