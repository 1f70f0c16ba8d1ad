"""`leakear-dashboard nights`: which loggers have a lasting rise, from anybody's history of night levels."""

import argparse
import json
import sys

from leakear.edge import files
from leakear.edge.command_line import Parser, number, place, whole

EPILOG = """The file: one table, as a vendor's program or a spreadsheet exports it (CSV with comma, semicolon, tab or
bar; UTF-8, UTF-16 or Windows-1252; point or comma as decimal mark; dates in any usual form).
  long: a row a night, with columns for logger, date, level and, if known, spread
  wide: a row a logger and a column a night, or a row a night and a column a logger
Blanks, text among the numbers and several readings of one night do no harm: they are counted and told.

examples:
  leakear-dashboard nights levels.csv
  leakear-dashboard nights levels.csv --budget 0.3 --report rises.html
  leakear-dashboard nights export.csv --logger "Serial No" --date "Read on" --level "Lvl (dB)"
  leakear-dashboard nights levels.csv --json | jq '.loggers[] | select(.rising)'

Exit codes: 0 done (no rise, too), 2 wrong usage, 65 a file that cannot be read, 1 anything else.
"""


def parser() -> argparse.ArgumentParser:
    """Command line."""
    raw = argparse.RawDescriptionHelpFormatter
    top = Parser("leakear-dashboard nights", description=__doc__, epilog=EPILOG, formatter_class=raw)
    top.add_argument("file", type=place, metavar="FILE.csv", help="night levels of one or many loggers")
    top.add_argument(
        "--budget",
        type=number(0.001, 100),
        default=1.0,
        metavar="N",
        help="false alarms a logger-year that you accept (1): fewer means later and surer",
    )
    for name, what in (
        ("logger", "names the logger"),
        ("date", "is the date"),
        ("level", "is the level"),
        ("spread", "is the spread"),
    ):
        top.add_argument(
            f"--{name}", metavar="HEADING", help=f"heading of the column that {what}, where it is not found"
        )
    top.add_argument(
        "--date-order", choices=("dmy", "mdy"), default="", help="day or month first, where it is not certain"
    )
    top.add_argument("--top", type=whole(1), default=20, metavar="N", help="loggers to print (20)")
    top.add_argument("--json", action="store_true", help="print one JSON object with every logger")
    top.add_argument("--report", type=place, metavar="FILE.html", help="write a page with the ranking and charts")
    return top


def run(words: list[str]) -> int:
    """Run the command; return the exit code. Raises LeakearError or OSError."""
    args = parser().parse_args(words)
    from leakear.dashboard.nights import ranking
    from leakear.dashboard.nights.reading import read

    if args.report:
        files.file(args.report, "--report")
    given = {name: getattr(args, name) for name in ("logger", "date", "level", "spread") if getattr(args, name)}
    history = read(args.file, given, args.date_order)
    found = ranking.rank(history, args.budget)
    if args.report:
        from leakear.dashboard.nights.report import page

        with files.replacing(args.report) as part:
            part.write_text(page(found, args.file.name), encoding="utf-8")
    if args.json:
        print(json.dumps(ranking.fields(found)))
        return 0
    print(ranking.text(found, args.top))
    for note in history.notes:
        print(f"leakear-dashboard: {note}", file=sys.stderr)
    return 0
