"""`leakear-dashboard report`: writes a report (month, case, health) as HTML, PDF or text, or a table as CSV."""

import argparse
import sys
from datetime import UTC, datetime, timedelta
from importlib.resources import files as resources
from pathlib import Path

from leakear.dashboard.history.tables import open_database
from leakear.dashboard.i18n import LANGUAGES
from leakear.dashboard.reports.brand import Brand
from leakear.dashboard.reports.hypertext import render_html
from leakear.dashboard.reports.paper import render_pdf
from leakear.dashboard.reports.plain import render_text
from leakear.dashboard.reports.source import Source, span_of_month
from leakear.dashboard.reports.tables import TABLES, table
from leakear.edge import files
from leakear.edge.command_line import Parser
from leakear.edge.errors import ConfigError, InputDataError

DATABASE = "sqlite:///leakear-dashboard.sqlite"
EPILOG = """examples:
  leakear-dashboard report november.pdf --month 2026-11
  leakear-dashboard report last-month.pdf                       the month before this one, for cron:
      15 6 1 * *  leakear-dashboard report /srv/reports/$(date -d '-2 days' +\\%Y-\\%m).pdf --database sqlite:///...
  leakear-dashboard report case.html --case 0199f0c2-... --language pt-BR
  leakear-dashboard report health.txt --health                  each Monday by mail, for cron:
      0 7 * * 1  cd /srv && leakear-dashboard report h.txt --health --database sqlite:///... && mail -s x ana <h.txt
  leakear-dashboard report nights.csv --table nights --month 2026-11

Exit codes: 0 done, 2 wrong usage, 65 no such case or month, 78 a wrong setting.
"""


def run(words: list[str]) -> int:
    """Run the command; return the exit status."""
    args = _parser().parse_args(words)
    files.file(args.file, "the report")
    engine = open_database(args.database, make=False)
    content = _content(args, engine)
    with files.replacing(args.file) as part:
        part.write_bytes(content)
    print(args.file)
    return 0


def _content(args: argparse.Namespace, engine: object) -> bytes:
    kind = args.file.suffix.lower()
    if args.table:
        if kind != ".csv":
            raise ConfigError(f"{args.file}: a table is a file that ends in .csv.")
        span = span_of_month(args.month) if args.month else (0.0, 1e12)
        return table(engine, args.table, span).encode("utf-8-sig")  # type: ignore[arg-type]
    if kind not in (".html", ".pdf", ".txt"):
        raise ConfigError(f"{args.file}: a report is a file that ends in .html, .pdf or .txt.")
    source, brand = Source(engine), Brand(args.brand_name, args.brand_logo)  # type: ignore[arg-type]
    if args.health:
        made = source.health(args.language, brand)
        if made is None:
            raise InputDataError("This database holds no health of a fleet: leakear-dashboard writes it while it runs.")
    elif args.case:
        made = source.case(args.case, args.language, brand)
        if made is None:
            raise InputDataError(f"There is no case {args.case[:60]!a} in this database.")
    else:
        made = source.month(args.month or _last_month(), args.language, brand)
    if kind == ".pdf":
        return render_pdf(made)
    if kind == ".txt":
        return render_text(made).encode()
    style = resources("leakear.dashboard").joinpath("static", "css", "report.css").read_text("utf-8")
    return render_html(made, style=style).encode()


def _last_month() -> str:
    first = datetime.now(UTC).replace(day=1)
    return f"{first - timedelta(days=1):%Y-%m}"


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    top = Parser("leakear-dashboard report", description=__doc__.partition(": ")[2], epilog=EPILOG, formatter_class=raw)
    top.add_argument("file", type=Path, help="file to write: NAME.pdf, NAME.html, NAME.txt or NAME.csv")
    what = top.add_mutually_exclusive_group()
    what.add_argument("--case", metavar="ID", help="report of one case instead of a month")
    what.add_argument("--health", action="store_true", help="which nodes need care, and what to do, instead of a month")
    what.add_argument("--table", choices=TABLES, help="a table as CSV instead of a report")
    top.add_argument("--month", metavar="YYYY-MM", help="in UTC (default: the month before this one; a table: all)")
    top.add_argument("--language", choices=LANGUAGES, default="en", help="default en")
    top.add_argument("--brand-name", default="leakear", metavar="NAME", help="name at the head (leakear)")
    top.add_argument("--brand-logo", type=Path, metavar="FILE", help="PNG or JPEG at the head")
    top.add_argument("--database", default=DATABASE, metavar="URL", help=f"SQLAlchemy URL (default {DATABASE})")
    return top


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
