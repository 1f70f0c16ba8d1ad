"""`leakear-train evaluate`: recordings through the daemon's pipeline and judge; counts alerts a day, not windows."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.audio.channels import Channel
from leakear.edge.command_line import number
from leakear.edge.decision.state_machine import DecisionRule, State, rule_from
from leakear.edge.errors import InputDataError
from leakear.edge.model.tflite import FACTORY, Model
from leakear.edge.pipeline import Pipeline, Scorer
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.texts import printable
from leakear.edge.windows import WindowOptions
from leakear.train import data_options
from leakear.train.arrays import DAMAGED
from leakear.train.cli.nodedays import RULE_HELP, parse_rule
from leakear.train.data.dataset import Recording
from leakear.train.data.repeated import repeated
from leakear.train.data_options import DataSet
from leakear.train.evaluation import trained_on
from leakear.train.nodedays.outcome import poisson_interval, share_interval
from leakear.train.nodedays.recorded_day import RecordedDay, decide, judged, record
from leakear.train.nodedays.runs import RECORDING, FileModel
from leakear.train.work.jobs import add_job_arguments
from leakear.train.work.tasks import ordered

HELP = """\
Put recordings through the daemon's pipeline and print the alerts of a node that hears them.

  leakear-train evaluate recordings/ --model model.tflite
  leakear-train evaluate recordings/ --minutes 60 --json result.json

Recordings shorter than --minutes are repeated without a seam: each becomes a node that hears this sound all the time.
An interrupted run continues where it stopped.
"""


@dataclass(frozen=True)
class Alerts:
    """The alerts of a node that hears one recording."""

    name: str
    label: str
    site: str | None
    score: float | None
    """Median P(leak) of its windows; None when none has a score."""
    warnings: int
    alarms: int
    """Changes to LEAK."""
    hours: float
    """Length of the sound."""
    faults: tuple[str, ...] = ()
    """Faults that a node would report, where no window has a score."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("data", type=Path, help="class folders, or a folder with manifest.csv")
    data_options.add_arguments(parser)
    add_job_arguments(parser)
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
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where heard recordings are kept")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.json:
        files.file(args.json, "--json")
    model = Model.load(args.model)
    rule = rule_from(model.info.decision, parse_rule(args.rule))
    data = data_options.listed(args)
    trained = trained_on.known(model.info.raw)
    window = WindowOptions(step_s=args.step)
    found, bad = _alerts(data, _How(args.model.absolute(), rule, window, args.minutes, data.cache.absolute()))
    if not found:
        raise InputDataError(f"{args.data} holds no recording that can be read")
    listed = data.listed.recordings if trained else []
    compared = tqdm(listed, "comparing", unit="file", leave=False, disable=None if trained else True)
    known = [r.name for r in compared if _digest(r) in trained]
    report = summarise(found) | {
        "trained_on": known,
        "trained_on_known": bool(trained),
        "left_out": bad,
        "rule": asdict(rule),
        "recordings": [asdict(alerts) for alerts in found],
    }
    if args.json:
        files.write(args.json, (json.dumps(report, indent=1) + "\n").encode())
    print(text(report))
    return 0


@dataclass(frozen=True)
class _How:
    """How recordings are heard."""

    model: Path
    rule: DecisionRule
    window: WindowOptions
    minutes: float
    cache: Path
    """folder of what earlier runs heard"""


def _alerts(data: DataSet, how: _How) -> tuple[list[Alerts], int]:
    """Return the alerts of each recording and channel, and how many recordings cannot be read; these are named."""
    tasks = [(replace(recording, path=recording.path.absolute()), heard) for recording, heard in data.openable()]
    bad = len(data.listed.recordings) - len(tasks)
    alike = [how.model, *(recording.path for recording, _ in tasks[:1])]
    found: list[Alerts] = []
    heard = ordered(partial(_heard, how), tasks, data.jobs, files=alike)
    for alerts in tqdm(heard, total=len(tasks), unit="file", disable=None):
        if isinstance(alerts, str):
            print(f"left out: {alerts}")
            bad += 1
        else:
            found += alerts
    return found, bad


def _heard(how: _How, task: tuple[Recording, list[Channel]]) -> list[Alerts] | str:
    """Return the alerts of each chosen channel, or why the recording cannot be read."""
    recording, heard = task
    try:
        return [_channel_alerts(how, recording, channel) for channel in heard]
    except InputDataError as error:
        return str(error)


def _channel_alerts(how: _How, recording: Recording, channel: Channel) -> Alerts:
    model, window = Model.load(how.model), how.window
    key = [FileModel(how.model).key(), asdict(how.rule), window.step_s, how.minutes]
    kept = _kept(how.cache, recording, channel, key)
    return alerts_of(recording, model, model.info.spec, how.rule, window, how.minutes, channel, kept)


def _digest(recording: Recording) -> str:
    try:
        return trained_on.digest(recording.path)
    except InputDataError:
        return ""  # named as left out already


def alerts_of(
    recording: Recording,
    model: Scorer,
    spec: SpectrogramSpec,
    rule: DecisionRule,
    window: WindowOptions,
    minutes: float,
    channel: Channel = "mix",
    kept: Path | None = None,
) -> Alerts:
    """Return the alerts of a node that hears one recording. `kept`: where it is kept. Raises InputDataError."""
    day = loaded(kept) if kept is not None else None
    if day is None:
        day = record(repeated(recording.path, spec, minutes * 60, channel), Pipeline(model, spec, rule, window))
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(kept) as part:
                day.save(part)
    changes = [change.state for change in decide(day, rule)]
    scores = day.score[~np.isnan(day.score)]
    return Alerts(
        name=recording.name,
        label=recording.label,
        site=recording.site,
        score=float(np.median(scores)) if scores.size else None,
        warnings=changes.count(State.WARNING),
        alarms=changes.count(State.LEAK),
        hours=_hours(day),
        faults=() if scores.size else _faults(day, rule),
    )


def loaded(kept: Path) -> RecordedDay | None:
    """Return what an earlier run kept; None: nothing, or it is damaged."""
    try:
        return RecordedDay.load(kept)
    except DAMAGED:
        return None


def _kept(folder: Path, recording: Recording, channel: Channel, how: list[object]) -> Path:
    """Return where a recording is kept; `how`: everything else that decides what is heard. Raises InputDataError."""
    try:
        with recording.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputDataError(f"{printable(recording.path)}: {error.strerror}") from error
    key = hashlib.sha256(json.dumps([sha256, channel, RECORDING, *how]).encode()).hexdigest()[:32]
    return folder / "evaluated" / f"{key}.npz"


def _faults(day: RecordedDay, rule: DecisionRule) -> tuple[str, ...]:
    """Return the faults that a node would report of this sound."""
    rows = judged(day, day.judge(rule))
    return tuple(sorted({fault for row in rows if row.health is not None for fault in row.health.faults}))


def _hours(day: RecordedDay) -> float:
    return float(day.end_utc[-1] / 3600) if day.end_utc.size else 0.0


def summarise(all_alerts: Sequence[Alerts]) -> dict[str, Any]:
    """Count found leaks and false alarms a node-day, with exact intervals."""
    leaks = [alerts for alerts in all_alerts if alerts.label == "Leak"]
    dry = [alerts for alerts in all_alerts if alerts.label != "Leak"]
    found, alarms = sum(alerts.alarms > 0 for alerts in leaks), sum(alerts.alarms for alerts in dry)
    days = sum(alerts.hours for alerts in dry) / 24
    low, high = poisson_interval(alarms)
    return {
        "leaks": len(leaks),
        "found": found,
        "found_interval": share_interval(found, len(leaks)) if leaks else None,
        "dry": len(dry),
        "dry_alarmed": sum(alerts.alarms > 0 for alerts in dry),
        "dry_node_days": days,
        "false_alarms_per_day": alarms / days if days else None,
        "false_alarms_per_day_interval": (low / days, high / days) if days else None,
    }


def text(r: dict[str, Any]) -> str:
    """Write the report for people."""
    lines = []
    for t in r["recordings"]:
        state = "LEAK" if t["alarms"] else "WARNING" if t["warnings"] else "OK"
        score = "no score" if t["score"] is None else f"{t['score']:.3f}"
        why = f"  ({', '.join(t['faults'])})" if t["faults"] else ""
        lines.append(f"{t['label']:7} {state:8} {score:>10}  {t['name']}{why}")
    if unscored := sum(t["score"] is None for t in r["recordings"]):
        lines.append(f"{unscored} recordings have no score: a node would report a fault of the sensor, and no leak")
    if r["leaks"]:
        low, high = r["found_interval"]
        lines.append(f"leaks found: {r['found']} of {r['leaks']} (95 % interval {low:.0%} to {high:.0%})")
    if r["dry"]:
        lines.append(
            f"LEAK without a leak: {r['dry_alarmed']} of {r['dry']} recordings; "
            f"{r['false_alarms_per_day']:.1f} alarms a node-day over {r['dry_node_days']:.2f} node-days"
        )
    if r["trained_on"]:
        count = len(r["trained_on"])
        lines.append(
            f"{count} of {len(r['recordings'])} recordings trained this model: what it does on them says nothing about "
            f"new ones; the first is {r['trained_on'][0]}"
        )
    elif not r["trained_on_known"]:
        lines.append("the model file does not say which recordings trained it: these may be among them")
    return "\n".join(lines)
