"""`leakear-train background`: how well a model file tells recorded leaks from other sounds, whatever the gain."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.command_line import number, whole
from leakear.edge.errors import InputDataError
from leakear.edge.model.tflite import FACTORY, Model
from leakear.edge.spec import Decibels, Samples, SpectrogramSpec
from leakear.edge.spectrogram import spectrogram
from leakear.train.cli.model import beside
from leakear.train.cli.model.gain import converted
from leakear.train.data import augmentation, dataset
from leakear.train.data.augmentation import loop
from leakear.train.data.collection import folders
from leakear.train.data.features import default_cache
from leakear.train.evaluation import metrics
from leakear.train.nodedays import sounds

HELP = """\
Score recorded leaks and background sound, all limited to a noise logger's band and at random gains, and print how well
the scores tell them apart.

  leakear-train background recordings/ noises/ more-noises/ --model model.tflite
  leakear-train background recordings/ noises/ --fold 3 --fold 4       leaks of these folds only
  leakear-train background recordings/ noises/ --fold 3 --beside statistic --beside bands

--beside scores the same windows with simple detectors, the linear ones trained on the recordings of the other folds,
and prints by how much the model is better; --sounds adds the sounds that the network was trained on to their NoLeak.
Running water (--flow) is reported apart: it is flow, as a leak is. Files of one source are one group in the interval.
"""
FLOW = (*augmentation.FLOW_LIKE, "waterfall")
"""Files of running water."""
GAIN_DB = (-30.0, 6.0)
"""Gain of each window: uniform between these, less where it would clip."""


@dataclass(frozen=True)
class Heard:
    """Scores of one window."""

    source: str
    """Site of a leak, or the background's file."""
    leak: bool
    score: float
    """P(leak)"""
    others: Mapping[str, float] = field(default_factory=dict)
    """Scores of the detectors beside the model."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("data", type=Path, help="recordings with labels, as for `fit`; their leaks are used")
    parser.add_argument("background", type=Path, nargs="+", help="folders with sounds without a leak")
    parser.add_argument("--manifest", type=Path, help="manifest (default: DATA/manifest.csv where there is one)")
    parser.add_argument("--model", type=Path, default=FACTORY, help="model file (default: the factory model)")
    parser.add_argument("--fold", type=int, action="append", help="use leaks of this fold only; repeat for several")
    parser.add_argument("--flow", action="append", metavar="NAME", help=f"files of running water ({', '.join(FLOW)})")
    parser.add_argument("--per-file", type=whole(1), default=20, help="windows of each background file at most (20)")
    parser.add_argument("--cut-hz", type=number(100), default=sounds.LOGGER_HZ, help="band of all sounds (1950)")
    parser.add_argument(
        "--beside", action="append", default=[], choices=beside.NAMES, help="a simple detector; repeat for several"
    )
    parser.add_argument("--sounds", type=Path, metavar="DIR", help="ESC-10: its training part is NoLeak for --beside")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where computed windows are kept")
    parser.add_argument("--json", type=Path, help="write everything here as well")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.json:
        files.file(args.json, "--json")
    model = Model.load(args.model)
    recordings = dataset.load(args.data, args.manifest)
    leaks = [r for r in recordings if r.target and (not args.fold or r.fold in args.fold)]
    paths = [path for folder in args.background for path in folders.sounds(folder)]
    if not leaks or not paths:
        raise InputDataError(
            f"{args.data} and {args.background[0]} must hold at least one leak and one sound: add some"
        )
    wanted = [(r.path, r.site or r.name, True, 2) for r in leaks]
    wanted += [(path, path.stem, False, args.per_file) for path in paths]
    others = [r for r in recordings if args.fold and r.fold not in args.fold]
    simple = beside.scorers(args.beside, model.info.spec, others, args.sounds, args.cache or default_cache())
    found = hear(wanted, model, simple, args.cut_hz)
    if {heard.leak for heard in found} != {True, False}:
        raise InputDataError(f"{args.data} and {args.background[0]}: no leak or no other sound can be read")
    report = summarise(found, tuple(args.flow or FLOW), model.info.threshold)
    if args.json:
        files.write(args.json, (json.dumps(report, indent=1) + "\n").encode())
    print(text(report))
    return 0


def hear(
    wanted: Sequence[tuple[Path, str, bool, int]], model: Model, simple: Mapping[str, beside.Scorer], cut_hz: float
) -> list[Heard]:
    """Score windows of (file, its source, whether a leak, windows at most) by the model and the simple detectors."""
    found: list[Heard] = []
    for path, source, leak, most in tqdm(wanted, unit="file", disable=None):
        try:
            for decibels in windows(path, model.info.spec, cut_hz, most):
                others = {name: score(decibels) for name, score in simple.items()}
                found.append(Heard(source, leak, model.score(decibels), others))
        except InputDataError as error:
            print(f"left out: {error}")
    return found


def windows(path: Path, spec: SpectrogramSpec, cut_hz: float, most: int) -> Iterator[Decibels]:
    """Yield spectrograms of windows spread over a file, each at its own gain. Raises InputDataError."""
    whole_file = sounds.read((path,), cut_hz)
    for number_, sound in enumerate(_spread(whole_file, spec.window_samples, most)):
        rng = np.random.default_rng([len(whole_file), number_])
        gain = 10 ** (rng.uniform(*GAIN_DB) / 20)
        gain = min(gain, 0.99 / max(float(np.abs(sound).max()), 1e-9))
        yield spectrogram(converted(np.float32(gain) * sound, rng), spec)


def _spread(sound: Samples, length: int, most: int) -> Iterator[Samples]:
    """Yield at most so many windows of a sound, spread evenly; a short sound is looped with cross-fades."""
    if len(sound) < length:
        yield loop(sound, length, 0, 1000)
        return
    count = min(most, len(sound) // length)
    for start in np.linspace(0, len(sound) - length, count).astype(int):
        yield sound[start : start + length]


def summarise(found: Sequence[Heard], flow: Sequence[str], threshold: float) -> dict[str, Any]:
    """Return the AUC without running water and with it alone, and figures of each background file."""
    leaks = [heard for heard in found if heard.leak]
    parts = {
        "other": [heard for heard in found if not heard.leak and heard.source not in flow],
        "flow": [heard for heard in found if not heard.leak and heard.source in flow],
    }
    report: dict[str, Any] = {
        "threshold": threshold,
        "leaks": {"windows": len(leaks), "at_threshold": _share(leaks, threshold)},
        "files": [
            {"file": name, **_against(leaks, mine, threshold)}
            for name in dict.fromkeys(heard.source for heard in found if not heard.leak)
            if (mine := [heard for heard in found if not heard.leak and heard.source == name])
        ],
    }
    for name, part in parts.items():
        if part:
            report[name] = _against(leaks, part, threshold) | _intervals([*leaks, *part])
    return report


def _intervals(found: Sequence[Heard]) -> dict[str, Any]:
    """Return the AUC with its interval, those of the simple detectors, and by how much the model is better."""
    scores, targets = _columns(found)
    groups = [f"{heard.leak} {augmentation.source(Path(heard.source))}" for heard in found]
    simple = {name: np.array([heard.others[name] for heard in found]) for name in found[0].others}
    return {
        "interval": str(metrics.estimate(metrics.auc, scores, targets, groups, 1000)),
        "beside": {
            name: {
                "auc": str(metrics.estimate(metrics.auc, theirs, targets, groups, 1000)),
                "model_better_by": str(metrics.difference(metrics.auc, scores, theirs, targets, groups, 1000)),
            }
            for name, theirs in simple.items()
        },
    }


def _against(leaks: Sequence[Heard], others: Sequence[Heard], threshold: float) -> dict[str, Any]:
    scores, targets = _columns([*leaks, *others])
    auc = metrics.auc(scores, targets)
    return {"windows": len(others), "auc": auc, "at_threshold": _share(others, threshold)}


def _columns(found: Sequence[Heard]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    return np.array([heard.score for heard in found]), np.array([heard.leak for heard in found], np.uint8)


def _share(found: Sequence[Heard], threshold: float) -> float:
    return float(np.mean([heard.score >= threshold for heard in found]))


def text(report: dict[str, Any]) -> str:
    """Write the report for people."""
    lines = ["| background | windows | AUC against the leaks | windows at the threshold |", "|---|---|---|---|"]
    lines += [
        f"| {part['file']} | {part['windows']} | {part['auc']:.3f} | {part['at_threshold']:.0%} |"
        for part in sorted(report["files"], key=lambda part: part["auc"])
    ]
    for name, title in (("other", "all but running water"), ("flow", "running water")):
        if name in report:
            part = report[name]
            lines.append(f"| **{title}** | {part['windows']} | {part['interval']} | {part['at_threshold']:.1%} |")
    for name, title in (("other", "all but running water"), ("flow", "running water")):
        simple = report.get(name, {}).get("beside", {})
        lines += [f"\n| {title}: simple detector | its AUC | the model is better by |", "|---|---|---|"] * bool(simple)
        lines += [f"| {other} | {found['auc']} | {found['model_better_by']} |" for other, found in simple.items()]
    leaks = report["leaks"]
    lines.append(f"\n{leaks['windows']} windows of leaks, {leaks['at_threshold']:.0%} at P = {report['threshold']:.2f}")
    return "\n".join(lines)
