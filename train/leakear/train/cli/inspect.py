"""`leakear-train inspect`: reports on a data set before anything is trained on it."""

import argparse
import shlex
from pathlib import Path

from leakear.edge import files
from leakear.edge.texts import printable
from leakear.train import data_options, networks
from leakear.train.evaluation import set_report

HELP = """\
Listen to every recording and report what a data set holds: counts by class, site, date, rate, length and level;
clipping, silence, copies and contradictions; what was left out; and what makes an honest validation impossible.

  leakear-train inspect recordings/                  prints the findings, writes recordings.html
  leakear-train inspect recordings/ -o report.html --site-pattern '(s[0-9]+)-'

An interrupted run continues where it stopped.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("data", type=Path, metavar="DATA", help="class folders, or a folder with manifest.csv")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the report (default: NAME-OF-DATA.html)")
    data_options.add_arguments(parser)
    parser.add_argument(
        "--site-pattern", type=data_options.pattern, metavar="REGEX", help="read the site from a name: its first group"
    )
    data_options.add_cache_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    output = args.output or Path(f"{args.data.resolve().name or 'data'}.html")
    files.file(output, "-o")
    data = data_options.listed(args, site_pattern=args.site_pattern)
    prepared = data.prepare(networks.find("compact").spec)
    for line in set_report.problems(prepared):
        print(f"problem: {line}")
    set_report.write(output, f"leakear: {printable(args.data.resolve().name)}", data.listed.lines, prepared)
    print(f"{printable(output)}: open it; next: leakear-train fit {printable(shlex.join(_same_data(args)))}")
    return 0


def _same_data(args: argparse.Namespace) -> list[str]:
    """Return the words of the command line that name the same recordings to `fit`."""
    words = [str(args.data)]
    if args.manifest is not None:
        words += ["--manifest", str(args.manifest)]
    for name, label in args.label:
        words += ["--label", f"{name}={label}"]
    if args.channel != "mix":
        words += ["--channel", str(args.channel)]
    if args.site_pattern is not None:
        words += ["--site-pattern", args.site_pattern]
    return words
