"""Five recordings of each class from a new sensor: `fit` from nothing and from the factory network, factory model.

    python -m bench.few_shot --out DIR                  ten sensors, half an hour on one core
    python -m bench.few_shot --out DIR --other-places   every recording at another place

A sensor has an unseen response, gain and room. Half A: five leaks and five other windows to train on; half B: twelve of
each, other leaks and days, at -12, 0 and +12 dB. Half B is used for nothing but the figures. Simulated sound.
"""

import argparse
import contextlib
import io
import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile

from bench import few_shot_sounds
from leakear.edge.errors import LeakearError
from leakear.edge.model.tflite import FACTORY, Model
from leakear.edge.spec import Samples
from leakear.edge.spectrogram import spectrogram
from leakear.train import cli, runfolder
from leakear.train.cli.model.gain import converted
from leakear.train.data.clips import encode
from leakear.train.evaluation import metrics
from leakear.train.runfolder import Run

TRAINED, JUDGED = range(5), range(50, 62)
"""Numbers of the recordings of half A and half B."""
GAINS_DB = (-12, 0, 12)
Chances: TypeAlias = npt.NDArray[np.float64]
"""(n,) P(leak)."""
Scorer: TypeAlias = Callable[[Sequence[Samples]], Chances]
Figures: TypeAlias = dict[tuple[str, int, str], list[float]]
"""(model, gain, figure) → a number for each sensor."""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for sounds and run folders; kept")
    parser.add_argument("--sensors", type=int, default=10)
    parser.add_argument("--other-places", action="store_true")
    parser.add_argument("--no-scratch", action="store_true", help="leave training from nothing out")
    args = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    found: Figures = {}
    for seed in range(args.sensors):
        folder = args.out / ("places" if args.other_places else "place") / str(seed)
        for half, numbers in (("a", TRAINED), ("b", JUDGED)):
            few_shot_sounds.write(folder / half, seed, numbers, other_places=args.other_places)
        judge(folder, _models(folder, args.out / "cache", scratch=not args.no_scratch), found)
        print(f"sensor {seed} done", flush=True)
    print(text(found))


def _models(folder: Path, cache: Path, *, scratch: bool) -> dict[str, tuple[Scorer, float]]:
    """Train on half A; return each model's scorer and threshold."""
    heard = folder / "heard"
    for number, path in enumerate(sorted((folder / "a").rglob("*.wav"))):
        sound, rate = soundfile.read(path, dtype="float32")
        target = heard / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, converted(sound, np.random.default_rng(number)), rate, "PCM_16")
    starts = {"from factory": ["--from", "factory"]} | ({"from scratch": ["--from", "scratch"]} if scratch else {})
    models: dict[str, tuple[Scorer, float]] = {}
    for name, words in starts.items():
        run = folder / name.split()[-1]
        _fit([str(heard), "-o", str(run), "--cache", str(cache), "--jobs", "1", *words])
        models[name] = _network(runfolder.load_run(run))
    shipped = Model.load(FACTORY)
    models["factory model"] = (
        lambda sounds: np.array([shipped.score(spectrogram(sound, shipped.info.spec)) for sound in sounds]),
        shipped.info.threshold,
    )
    return models


def _fit(words: list[str]) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = cli.main(["fit", *words])
    if code:
        raise LeakearError(said.getvalue())


def _network(run: Run) -> tuple[Scorer, float]:
    import keras

    network, spec = keras.models.load_model(run.model_path, compile=False), run.info.spectrogram

    def score(sounds: Sequence[Samples]) -> Chances:
        codes = np.stack([encode(spectrogram(sound, spec), spec) for sound in sounds])
        logits = network.predict(codes[..., None] / np.float32(255), verbose=0)[:, 0] / run.info.temperature
        return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))

    return score, run.info.threshold


def judge(folder: Path, models: dict[str, tuple[Scorer, float]], found: Figures) -> None:
    """Score half B at every gain and add the figures."""
    paths = sorted((folder / "b").rglob("*.wav"))
    targets = np.array([path.parent.name == "Leak" for path in paths], np.uint8)
    sounds = [soundfile.read(path, dtype="float32")[0] for path in paths]
    for gain in GAINS_DB:
        heard = [
            converted(sound * np.float32(10 ** (gain / 20)), np.random.default_rng([number, gain & 255]))
            for number, sound in enumerate(sounds)
        ]
        for name, (score, threshold) in models.items():
            chances = score(heard)
            right = (chances >= threshold) == (targets == 1)
            balanced = float(np.mean([right[targets == target].mean() for target in (0, 1)]))
            found.setdefault((name, gain, "AUC"), []).append(metrics.auc(chances, targets))
            found.setdefault((name, gain, "balanced accuracy"), []).append(balanced)


def text(found: Figures) -> str:
    """Return the table: median and range over the sensors."""
    figures = ("AUC", "balanced accuracy")
    head = " | ".join(f"{figure}, {gain:+d} dB" for figure in figures for gain in GAINS_DB)
    lines = [f"| model | {head} |", "|---" * 7 + "|"]
    for name in dict.fromkeys(name for name, _, _ in found):
        cells = [found[name, gain, figure] for figure in figures for gain in GAINS_DB]
        shown = " | ".join(f"{statistics.median(c):.3f} ({min(c):.2f} to {max(c):.2f})" for c in cells)
        lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
