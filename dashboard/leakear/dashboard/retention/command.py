"""`leakear-dashboard retention`: what the database keeps, bytes of a node-year, export to Parquet, partitions."""

import argparse
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from leakear.dashboard.cli import Parser, add_database
from leakear.dashboard.history.tables import open_database
from leakear.dashboard.retention.moving import move_all
from leakear.dashboard.retention.parquet import export
from leakear.dashboard.retention.tiers import TIERS, Size, sizes
from leakear.edge import files
from leakear.edge.command_line import place
from leakear.edge.errors import ConfigError

EPILOG = """examples:
  leakear-dashboard retention
  leakear-dashboard retention --parquet archive --tier nights --tier events
  leakear-dashboard retention --partition --database postgresql+psycopg://leakear@db/leakear

--partition is for a PostgreSQL database that an older version has made. Everything else goes on meanwhile; it needs
room for a second copy of the largest table. When it is interrupted, start it again: it goes on.

A node-year of readings and events is that of the rows counted here, over a day at least; of minutes, hours and nights
that of a node that always reports.
"""
HEAD = f"{'tier':<10}{'rows':>12}{'nodes':>8}{'days':>9}{'MiB':>10}{'bytes/row':>11}{'MiB/node-year':>15}"


def run(words: list[str]) -> int:
    """Run the command; return the exit status."""
    raw = argparse.RawDescriptionHelpFormatter
    top = Parser("leakear-dashboard retention", description=__doc__, epilog=EPILOG, formatter_class=raw)
    top.add_argument("--parquet", type=place, metavar="FOLDER", help="write a file for each tier and month into FOLDER")
    top.add_argument("--partition", action="store_true", help="divide the tables of an older version into partitions")
    names = [tier.name for tier in TIERS]
    top.add_argument("--tier", action="append", choices=names, help="only this one; repeat for several")
    add_database(top)
    args = top.parse_args(words)
    engine = open_database(args.database, make=False)
    wanted = args.tier or names
    if args.partition:
        try:
            move_all(engine, lambda line: print(line, flush=True))
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", error)
            raise ConfigError(f"The database failed ({reason}): start the command again, it goes on.") from error
        return 0
    if args.parquet:
        files.folder(args.parquet, "--parquet")
        args.parquet.mkdir(parents=True, exist_ok=True)
        for tier in TIERS:
            if tier.name in wanted:
                _tell(args.parquet, export(engine, tier, args.parquet))
        return 0
    print(HEAD)
    for size in sizes(engine):
        if size.tier.name in wanted:
            print(_line(size))
    return 0


def _tell(folder: Path, written: dict[str, int]) -> None:
    for name, rows in written.items():
        print(f"{folder / name}: {rows} rows")


def _line(size: Size) -> str:
    per_row = "-" if size.per_row is None else f"{size.per_row:.0f}"
    per_year = "-" if size.per_node_year is None else f"{size.per_node_year / 2**20:.3f}"
    days = size.span_s / 86400
    start = f"{size.tier.name:<10}{size.rows:>12}{size.nodes:>8}{days:>9.1f}"
    return f"{start}{size.bytes / 2**20:>10.2f}{per_row:>11}{per_year:>15}"
