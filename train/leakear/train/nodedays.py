"""`leakear-train nodedays`: simulated days through the daemon's own code; found leaks, delays, false alarms a day."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leakear.edge.decision import DecisionRule, rule_from
from leakear.edge.errors import ConfigError
from leakear.edge.model import FACTORY, Model
from leakear.edge.windows import WindowOptions
from leakear.train import dayreport
from leakear.train.dayruns import FileModel, Plan, run

HELP = """\
Put whole days of simulated sites through the daemon's pipeline with a converted model, and count what it said.

  leakear-train nodedays --model model.tflite --out days
  leakear-train nodedays --out days --before 2             nodes that know what is usual: two days heard before each
  leakear-train nodedays --out days --calibrate            nodes that learnt a leak-free night first
  leakear-train nodedays --out days --nights ../data/background   recorded rain, waves, engines, a tap

Half of the days hold a leak. Sites 1000000 and up are kept for testing, 500000 and up for tuning, lower ones for
training. What was heard stays in OUT: the same command with another rule takes seconds. Simulated days are not field
accuracy.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("--model", type=Path, default=FACTORY, help="model file (default: the factory model)")
    parser.add_argument("--out", type=Path, required=True, help="folder for what was heard and for the report")
    parser.add_argument("--days", type=int, default=30, help="node-days, one a site, every other with a leak")
    parser.add_argument("--first-site", type=int, default=1_000_000, help="number of the first site")
    parser.add_argument("--step", type=float, default=WindowOptions().step_s, help="seconds from window to window")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--snr", type=float, default=None, help="dB of every leak (default: drawn, −10 to 30)")
    parser.add_argument("--before", type=int, default=0, help="leak-free days that each node heard first")
    parser.add_argument("--calibrate", action="store_true", help="also judge nodes that learnt five leak-free hours")
    parser.add_argument("--nights", type=Path, help="folder with esc-10/ and speech-commands-noise/: real background")
    parser.add_argument("--minutes", type=float, default=20.0, help="how long each recorded sound goes on")
    parser.add_argument("--rule", action="append", default=[], metavar="KEY=VALUE", help="change the decision rule")
    parser.add_argument("--no-sweep", action="store_true", help="leave out the DET curve")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.days < 1 or args.jobs < 1 or args.before < 0 or not 0 < args.step <= 3600 or not 0 < args.minutes <= 600:
        raise ConfigError(
            "--days and --jobs from 1 on, --before from 0 on, --step above 0 up to 3600, --minutes above 0 up to 600"
        )
    info = Model.load(args.model).info
    rule = rule_from(info.decision, parse_rule(args.rule))
    rule.check_step(args.step)
    plan = Plan(
        out=args.out,
        model=FileModel(args.model),
        days=args.days,
        first_site=args.first_site,
        step_s=args.step,
        snr_db=args.snr,
        calibrate=args.calibrate,
        nights=args.nights,
        minutes=args.minutes,
        before=args.before,
    )
    days = run(plan, args.jobs)
    report = dayreport.report(days, rule, sweep=not args.no_sweep, jobs=args.jobs)
    report["model"] = info.raw.get("model", {})
    write(args.out, report)
    print(dayreport.text(report))
    return 0


def write(out: Path, report: Mapping[str, Any]) -> None:
    """Write report.json, and det.png where the rule was swept."""
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if report.get("det"):
        dayreport.picture(report, out / "det.png")


def parse_rule(texts: list[str]) -> dict[str, Any]:
    """Read KEY=VALUE pairs of [decision]. Raises ConfigError that names the key."""
    overrides: dict[str, Any] = {}
    for text in texts:
        key, _, value = text.partition("=")
        if key not in DecisionRule.__dataclass_fields__:
            raise ConfigError(
                f"--rule {key}: no key of [decision]; there are {', '.join(DecisionRule.__dataclass_fields__)}"
            )
        try:
            overrides[key] = value if key == "quiet_hours" else float(value)
        except ValueError:
            raise ConfigError(f"--rule {text}: {value!r} is not a number") from None
    return overrides
