"""`leakear-train gain`: a model of the window's own level does not hear the gain, one of the full scale does."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from leakear.edge.errors import InputDataError
from leakear.edge.model.tflite import FACTORY
from leakear.edge.spec import Decibels, SpectrogramSpec
from leakear.train import cli
from leakear.train.cli.model import gain
from tests.support import other_rate


class Scorer:
    """P(leak) from the mean level."""

    def __init__(self, reference: str) -> None:
        self.info = SimpleNamespace(spec=SpectrogramSpec(reference, band_hz=(20, 1800)), threshold=0.5)  # type: ignore[arg-type]

    def score(self, decibels: Decibels) -> float:
        return float(1 / (1 + np.exp(-(decibels.mean() + 60) / 3)))


def sounds(count: int, rms: float) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(rms * rng.standard_normal(220500)).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize(("reference", "alike"), [("own", True), ("full-scale", False)])
def test_a_gain_moves_a_level_and_not_what_is_relative_to_it(reference: str, alike: bool) -> None:
    moved = gain.compare(Scorer(reference), sounds(3, 0.02), (-20.0, 6.0))  # type: ignore[arg-type]
    assert [part.windows for part in moved] == [3, 3, 6]
    assert (moved[-1].p95 < 0.01) == alike
    assert (moved[-1].alike == 1) == alike
    for part in moved:
        assert part.p95_interval[0] <= part.p95 <= part.p95_interval[1]
    if alike:  # three windows, however many gains
        assert moved[-1].alike_interval == moved[0].alike_interval == pytest.approx((0.292, 1), abs=0.001)


def test_windows_that_would_clip_are_left_out_and_counted() -> None:
    loud, quiet = sounds(1, 0.2)[0], sounds(1, 0.02)[0]
    (part, _) = gain.compare(Scorer("own"), [loud, quiet], (12.0,))  # type: ignore[arg-type]
    assert (part.windows, part.clipped) == (1, 1)
    with pytest.raises(InputDataError, match="every window clips at"):
        gain.compare(Scorer("own"), [loud], (12.0,))  # type: ignore[arg-type]


def test_the_command_prints_a_table(hk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "Leak").mkdir()
    (tmp_path / "NoLeak").mkdir()
    for name in ("Leak-Metal/004_07573-20180817.wav", "NoLeak-Metal/05540_20200725_1145.wav"):
        (tmp_path / name.split("-")[0] / "1.wav").write_bytes((hk / name).read_bytes())
    out = tmp_path / "gain.json"
    words = ["gain", str(tmp_path), "--model", str(FACTORY), "--simulated", "2", "--gain", "-20", "--json", str(out)]
    assert cli.main(words) == 0
    assert "| -20 | 4 | 0 |" in capsys.readouterr().out
    assert json.loads(out.read_text())[0]["p95"] < 0.05


def test_a_model_of_another_rate_hears_simulated_windows_at_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label, sound in zip(("Leak", "NoLeak"), sounds(2, 0.02), strict=True):
        (tmp_path / label).mkdir()
        soundfile.write(tmp_path / label / "1.wav", sound, 22050)
    model = other_rate.write(tmp_path / "other.tflite")
    assert cli.main(["gain", str(tmp_path), "--model", str(model), "--simulated", "2", "--gain", "-6"]) == 0
    assert "| -6 | 4 | 0 |" in capsys.readouterr().out


def test_the_chosen_channel_is_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label, sound in zip(("Leak", "NoLeak"), sounds(2, 0.02), strict=True):
        (tmp_path / label).mkdir()
        soundfile.write(tmp_path / label / "1.wav", np.stack([np.ones_like(sound), sound], axis=1), 22050)
    words = ["gain", str(tmp_path), "--simulated", "0", "--gain", "6", "--channel"]
    assert cli.main([*words, "2"]) == 0
    said = capsys.readouterr().out
    assert "2 recordings have 2 channels; heard: channel 2" in said
    assert "| +6 | 2 | 0 |" in said
    assert cli.main([*words, "1"]) == 65
    assert "every window clips" in capsys.readouterr().err
    assert cli.main([*words, "3"]) == 65
    assert "holds no recording that can be read with --channel 3" in capsys.readouterr().err
