"""`leakear-train nodedays`: simulated days through the daemon's pipeline; found leaks, delays, false alarms a day."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leakear.edge import files
from leakear.edge.command_line import number, whole
from leakear.edge.decision.state_machine import DecisionRule, rule_from
from leakear.edge.errors import InputDataError, UsageError
from leakear.edge.model.bundle import BundleInfo
from leakear.edge.model.tflite import FACTORY, Model
from leakear.edge.schedule import ScheduleOptions
from leakear.edge.windows import WindowOptions
from leakear.train.nodedays import report
from leakear.train.nodedays.runs import FileModel, Plan, run
from leakear.train.simulator.units import RATE
from leakear.train.work.jobs import add_job_arguments, jobs_of

HELP = """\
Put whole days of simulated sites through the daemon's pipeline with a converted model, and count its alerts.

  leakear-train nodedays --model model.tflite --out days
  leakear-train nodedays --out days --before 3             nodes that know their background: three days before each
  leakear-train nodedays --out days --calibrate            nodes calibrated on a leak-free day first (or a night)
  leakear-train nodedays --out days --nights ../data/background   recorded rain, waves, engines, a tap

Half of the days hold a leak. Sites 1000000 and up are kept for testing, 700000 to 899999 for tuning the rule; 500000 to
699999 and 900000 to 999999 train the factory model, lower ones are free. The recorded days stay in OUT: the same
command with another rule takes seconds. Simulated days are not field accuracy.
"""
RULE_HELP = f"change the decision rule; keys: {', '.join(DecisionRule.__dataclass_fields__)}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    add_run_arguments(parser)
    parser.add_argument("--days", type=whole(1), default=30, help="node-days, one a site, every other with a leak (30)")
    parser.add_argument("--first-site", type=whole(0), default=1_000_000, help="number of the first site (1000000)")
    parser.add_argument("--snr", type=float, default=None, help="dB of every leak (default: drawn, −10 to 30)")
    parser.add_argument("--before", type=whole(0), default=0, help="leak-free days of each node before its day (0)")
    parser.add_argument("--after", type=whole(0), default=0, help="days after it, in which its leak goes on (0)")
    parser.add_argument(
        "--calibrate", action="store_true", help="also judge nodes calibrated on the day before (a night)"
    )
    parser.add_argument("--nights", type=Path, help="folder with esc-10/ and speech-commands-noise/: real background")
    parser.add_argument(
        "--minutes", type=number(0, 600, above=True), default=20.0, help="length of each recorded sound (20)"
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what all days need: model, folder, step, processes and rule."""
    parser.add_argument("--model", type=Path, default=FACTORY, help="model file (default: the factory model)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the recorded days and the report")
    parser.add_argument(
        "--step",
        type=number(0, 3600, above=True),
        default=WindowOptions().step_s,
        help="seconds from window to window (10)",
    )
    add_job_arguments(parser)
    parser.add_argument("--rule", action="append", default=[], metavar="KEY=VALUE", help=RULE_HELP)
    parser.add_argument(
        "--listen",
        action="append",
        default=[],
        metavar="HH:MM-HH:MM",
        help="the nodes listen in these hours only (UTC)",
    )
    parser.add_argument("--no-sweep", action="store_true", help="leave out the DET curve")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    files.folder(args.out, "--out")
    hours = ScheduleOptions(listen=tuple(args.listen)).listen
    info = described(args.model)
    rule = rule_from(info.decision, parse_rule(args.rule))
    rule.check_step(args.step)
    plan = Plan(
        out=args.out.absolute(),
        model=FileModel(args.model.absolute()),
        days=args.days,
        first_site=args.first_site,
        step_s=args.step,
        snr_db=args.snr,
        calibrate=args.calibrate,
        nights=args.nights.absolute() if args.nights else None,
        minutes=args.minutes,
        before=args.before,
        after=args.after,
        listen=hours,
    )
    jobs = jobs_of(args)
    days = report.listening(run(plan, jobs), hours)
    found = report.report(days, rule, sweep=not args.no_sweep, jobs=jobs)
    found["model"] = info.raw.get("model", {})
    write(args.out, found)
    print(report.text(found))
    return 0


def described(path: Path) -> BundleInfo:
    """Load a model and return its description. Raises ModelError, and InputDataError where no day has its rate."""
    info = Model.load(path).info
    if info.spec.sample_rate != RATE:
        raise InputDataError(
            f"{path} listens at {info.spec.sample_rate} Hz, and node-days are made at {RATE} Hz: train at that rate"
        )
    return info


def write(out: Path, found: Mapping[str, Any]) -> None:
    """Write report.json, and det.png where the rule was swept."""
    files.write(out / "report.json", (json.dumps(found, indent=1) + "\n").encode())
    if found.get("det"):
        report.picture(found, out / "det.png")


def parse_rule(texts: list[str]) -> dict[str, Any]:
    """Read KEY=VALUE pairs of [decision]. Raises UsageError that names the key."""
    overrides: dict[str, Any] = {}
    for text in texts:
        key, _, value = text.partition("=")
        if key not in DecisionRule.__dataclass_fields__:
            raise UsageError(
                f"--rule {key}: no key of [decision]; there are {', '.join(DecisionRule.__dataclass_fields__)}"
            )
        try:
            overrides[key] = _value(key, value)
        except ValueError:
            raise UsageError(f"--rule {text}: {value!r} is not a number") from None
    return overrides


def _value(key: str, text: str) -> Any:
    """Read the value of a key as its kind. Raises ValueError."""
    kind = type(getattr(DecisionRule(), key))
    if kind is bool:
        if text not in {"true", "false"}:
            raise UsageError(f"--rule {key}: write true or false")
        return text == "true"
    return text if kind is str else float(text)
