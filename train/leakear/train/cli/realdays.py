"""`leakear-train realdays`: days strung from real recordings through the daemon's pipeline; alarms and found leaks."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from leakear.edge import files
from leakear.edge.command_line import place, whole
from leakear.edge.decision.state_machine import rule_from
from leakear.edge.errors import UsageError
from leakear.edge.schedule import ScheduleOptions
from leakear.train.cli.nodedays import add_run_arguments, described, parse_rule, write
from leakear.train.nodedays import report, strong_leaks
from leakear.train.nodedays.real_runs import Plan, run
from leakear.train.nodedays.runs import FileModel
from leakear.train.work.jobs import jobs_of

HELP = """\
Put days strung from real recordings through the daemon's pipeline with a converted model, and count its alerts.

  leakear-train realdays HK BACKGROUND --out days            HK: a folder with manifest.csv (path, label, site, date)
  leakear-train realdays BACKGROUND --out days --snr 5       every leak 5 dB above the surroundings, 60 to 1800 Hz
  leakear-train realdays HK BACKGROUND --out days --gain -20     the same days, heard by a less sensitive sensor
  leakear-train realdays HK --out days --leave-out 05574     without one site
  leakear-train realdays HK --out days --rule threshold=0.7  another rule over the recorded days: seconds

A place's dates change from day to day as they were recorded; machines, weather and uses of water (2 minutes to 8 hours)
come at new hours; every other node has a leak, recorded or simulated, from a random hour of its day on. In a folder
without a manifest, a folder with the name of a known sound (rain, dryer, running_tap, ...) is one sound with a file for
each date, and every other file is a sound of its own.
The recorded days stay in OUT. Short recordings are repeated: their counts are harsher than a place.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("folders", nargs="+", type=place, metavar="FOLDER", help="recordings: manifests or folders")
    add_run_arguments(parser)
    parser.add_argument("--nodes", type=whole(1), default=20, help="number of nodes, every other with a leak (20)")
    parser.add_argument("--first-node", type=whole(0), default=0, help="number of the first node, the seed (0)")
    parser.add_argument("--before", type=whole(0), default=3, help="days before the day that may hold a leak (3)")
    parser.add_argument("--after", type=whole(0), default=0, help="days after it, in which the leak goes on (0)")
    parser.add_argument("--snr", type=float, default=None, help="dB of every leak (default: drawn, −10 to 20)")
    parser.add_argument("--gain", type=float, default=0.0, help="dB by which the whole sensor is louder (0)")
    parser.add_argument(
        "--simulated-uses", action="store_true", help="half of the nodes hear uses of water made by the simulator"
    )
    parser.add_argument("--dry", action="store_true", help="no node has a leak")
    parser.add_argument(
        "--strong-leaks", type=whole(0), default=0, metavar="N", help="try N leaks of 5 to 20 dB a node (needs --dry)"
    )
    parser.add_argument("--leave-out", action="append", default=[], metavar="NAME", help="a place or sound not to use")


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.strong_leaks and not args.dry:
        raise UsageError("--strong-leaks needs --dry: they are tried beside days without a leak")
    files.folder(args.out, "--out")
    hours = ScheduleOptions(listen=tuple(args.listen)).listen
    info = described(args.model)
    rule = rule_from(info.decision, parse_rule(args.rule))
    rule.check_step(args.step)
    plan = Plan(
        out=args.out.absolute(),
        model=FileModel(args.model.absolute()),
        folders=tuple(folder.absolute() for folder in args.folders),
        nodes=args.nodes,
        step_s=args.step,
        before=args.before,
        after=args.after,
        first_node=args.first_node,
        snr_db=args.snr,
        gain_db=args.gain,
        simulated_uses=args.simulated_uses,
        dry=args.dry,
        leave_out=tuple(args.leave_out),
    )
    jobs = jobs_of(args)
    found = report.report(report.listening(run(plan, jobs), hours), rule, sweep=not args.no_sweep, jobs=jobs)
    found |= {"model": info.raw.get("model", {}), "simulated": False}
    if args.strong_leaks:
        trials = strong_leaks.run(plan, rule, args.strong_leaks, jobs)
        found |= {"strong_leaks": strong_leaks.summary(trials), "trials": [asdict(trial) for trial in trials]}
    write(args.out, found)
    print(report.text(found))
    if args.strong_leaks:
        print(strong_leaks.text(found["strong_leaks"]))
    return 0
