"""`leakear-train evaluate`: recordings through the daemon's own decision code; alerts a day, not windows."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.audio.blocks import Block
from leakear.edge.audio.recordings import read_blocks
from leakear.edge.command_line import number
from leakear.edge.decision.state_machine import DecisionRule, State, rule_from
from leakear.edge.errors import InputDataError
from leakear.edge.model.tflite import FACTORY, Model
from leakear.edge.pipeline import Pipeline, Scorer
from leakear.edge.spec import Samples, SpectrogramSpec
from leakear.edge.windows import WindowOptions
from leakear.train.cli.nodedays import RULE_HELP, parse_rule
from leakear.train.data import dataset
from leakear.train.data.augmentation import loop
from leakear.train.data.dataset import Recording
from leakear.train.nodedays.outcome import poisson_interval, share_interval
from leakear.train.nodedays.recorded_day import Heard, decide, listen

HELP = """\
Put recordings through the daemon's pipeline and say what a node that hears them would have told.

  leakear-train evaluate recordings/ --model model.tflite
  leakear-train evaluate recordings/ --minutes 60 --json result.json

Recordings shorter than --minutes go round without a seam: each becomes a node that hears this sound all the time.
"""
BLOCK = 22050
"""Samples given to the pipeline at once."""
FADE_S = 0.05
"""Seconds of cross-fade where a short recording goes round."""


@dataclass(frozen=True)
class Told:
    """What a node told of one recording."""

    name: str
    label: str
    site: str | None
    score: float | None
    """Median P(leak) of its windows; None when none could be judged."""
    warnings: int
    alarms: int
    """Changes to LEAK."""
    hours: float
    """Listened."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("data", type=Path, help="class folders, or a folder with manifest.csv")
    parser.add_argument("--manifest", type=Path, help="manifest (default: DATA/manifest.csv where there is one)")
    parser.add_argument("--model", type=Path, default=FACTORY, help="model file (default: the factory model)")
    parser.add_argument(
        "--minutes", type=number(0, 1440, above=True), default=60.0, help="to which short recordings go round (60)"
    )
    parser.add_argument(
        "--step",
        type=number(0, 3600, above=True),
        default=WindowOptions().step_s,
        help="seconds from window to window (10)",
    )
    parser.add_argument("--rule", action="append", default=[], metavar="KEY=VALUE", help=RULE_HELP)
    parser.add_argument("--json", type=Path, help="write everything here as well")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.json:
        files.file(args.json, "--json")
    model = Model.load(args.model)
    rule = rule_from(model.info.decision, parse_rule(args.rule))
    recordings = dataset.load(args.data, args.manifest)
    window = WindowOptions(step_s=args.step)
    told, bad = [], 0
    for recording in tqdm(recordings, unit="file", disable=None):
        try:
            told.append(tell(recording, model, model.info.spec, rule, window, args.minutes))
        except InputDataError as error:
            print(f"left out: {error}")
            bad += 1
    if not told:
        raise InputDataError(f"{args.data} holds no recording that can be read")
    report = summarise(told) | {"left_out": bad, "rule": asdict(rule), "recordings": [asdict(t) for t in told]}
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(text(report))
    return 0


def tell(
    recording: Recording,
    model: Scorer,
    spec: SpectrogramSpec,
    rule: DecisionRule,
    window: WindowOptions,
    minutes: float,
) -> Told:
    """Let a node hear one recording. Raises InputDataError."""
    heard = listen(going_round(recording.path, spec, minutes * 60), Pipeline(model, spec, rule, window))
    changes = [change.state for change in decide(heard, rule)]
    judged = heard.score[~np.isnan(heard.score)]
    return Told(
        name=recording.name,
        label=recording.label,
        site=recording.site,
        score=float(np.median(judged)) if judged.size else None,
        warnings=changes.count(State.WARNING),
        alarms=changes.count(State.LEAK),
        hours=_hours(heard),
    )


def going_round(path: Path, spec: SpectrogramSpec, least_s: float) -> Iterator[Block]:
    """Stream a recording, over and over until `least_s` seconds have passed; the seam is cross-faded."""
    sound: Samples = np.concatenate([block.samples for block in read_blocks(path, spec)])
    wanted = max(round(least_s * spec.sample_rate), len(sound))
    fade = round(FADE_S * spec.sample_rate)
    if wanted > len(sound):
        once = len(sound) - min(fade, len(sound) // 2)
        sound = loop(sound, once, 0, fade)
    once = len(sound)
    sound = np.resize(sound, once + BLOCK)  # goes on where it ends, so that every block is one piece
    for start in range(0, wanted, BLOCK):
        at = start / spec.sample_rate
        yield Block(start, sound[start % once :][: min(BLOCK, wanted - start)], at, at)


def _hours(heard: Heard) -> float:
    return float(heard.end_utc[-1] / 3600) if heard.end_utc.size else 0.0


def summarise(told: Sequence[Told]) -> dict[str, Any]:
    """Count leaks told and false alarms a node-day, with exact intervals."""
    leaks = [t for t in told if t.label == "Leak"]
    dry = [t for t in told if t.label != "Leak"]
    found, alarms = sum(t.alarms > 0 for t in leaks), sum(t.alarms for t in dry)
    days = sum(t.hours for t in dry) / 24
    low, high = poisson_interval(alarms)
    return {
        "leaks": len(leaks),
        "found": found,
        "found_interval": share_interval(found, len(leaks)) if leaks else None,
        "dry": len(dry),
        "dry_alarmed": sum(t.alarms > 0 for t in dry),
        "dry_node_days": days,
        "false_alarms_per_day": alarms / days if days else None,
        "false_alarms_per_day_interval": (low / days, high / days) if days else None,
    }


def text(r: dict[str, Any]) -> str:
    """Say the report in plain words."""
    lines = []
    for t in r["recordings"]:
        state = "LEAK" if t["alarms"] else "WARNING" if t["warnings"] else "OK"
        score = "not judged" if t["score"] is None else f"{t['score']:.3f}"
        lines.append(f"{t['label']:7} {state:8} {score:>10}  {t['name']}")
    if r["leaks"]:
        low, high = r["found_interval"]
        lines.append(f"leaks told: {r['found']} of {r['leaks']} (95 % interval {low:.0%} to {high:.0%})")
    if r["dry"]:
        lines.append(
            f"no leak, but LEAK told: {r['dry_alarmed']} of {r['dry']} recordings; "
            f"{r['false_alarms_per_day']:.1f} alarms a node-day over {r['dry_node_days']:.2f} node-days"
        )
    return "\n".join(lines)
