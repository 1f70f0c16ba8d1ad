"""`leakear-train realism OUT`: figures of simulated places beside those of real ones."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.command_line import whole
from leakear.edge.errors import InputDataError
from leakear.train.realism import dates, levels, nights, table
from leakear.train.work.jobs import Jobs, add_job_arguments, jobs_of
from leakear.train.work.tasks import ordered

T = TypeVar("T")
HELP = """\
Measure how much simulated places vary, and print it beside the same figures of real ones.

  leakear-train realism out --data ../shared/data
  leakear-train realism out                          without recordings: nights and half-hours only

The real nights (459 loggers) and half-hours (one sensor) are published figures; dates, halves and levels are measured
from DATA/hk-noise-loggers by the same code. OUT gets realism.json and realism.png.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--data", type=Path, help="folder that holds hk-noise-loggers/")
    parser.add_argument("--sites", type=whole(2), default=200, help="sites whose nights are compared (200)")
    parser.add_argument("--nights", type=whole(32), default=71, help="nights of each (71, as of the real loggers)")
    parser.add_argument("--hours", type=whole(2), default=40, help="sites whose half-hours are compared (40)")
    parser.add_argument("--sets", type=whole(2), default=20, help="sets of simulated recordings for dates (20)")
    parser.add_argument("--clips", type=whole(2), default=100, help="simulated loggers whose levels are compared (100)")
    add_job_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.data is not None and not (args.data / "hk-noise-loggers" / "manifest.csv").is_file():
        raise InputDataError(f"{args.data} holds no hk-noise-loggers/manifest.csv: give the folder above it as --data")
    files.folder(args.out, "OUT")
    args.out.mkdir(parents=True, exist_ok=True)
    rows = list(_rows(args))
    print(table.text(rows))
    (args.out / "realism.json").write_text(
        json.dumps([asdict(row) | {"agrees": row.agrees} for row in rows], indent=1) + "\n", encoding="utf-8"
    )
    table.picture(rows, args.out / "realism.png")
    return 0


def _rows(args: argparse.Namespace) -> Iterator[table.Row]:
    jobs = jobs_of(args)
    sites = range(table.FIRST_SITE, table.FIRST_SITE + args.sites)
    quietest = _mapped(partial(nights.simulated, nights=args.nights), sites, jobs, "nights")
    yield from table.night_rows(np.array(quietest))
    hours = range(table.HOUR_SITES, table.HOUR_SITES + args.hours)
    yield from table.hour_rows(_mapped(dates.half_hours, hours, jobs, "half-hours"))
    if args.data is not None:
        recorded = dates.real(args.data)
        work = partial(_date_set, recorded)
        yield from table.date_rows(dates.date_figures(recorded), _mapped(work, range(args.sets), jobs, "dates"))
        for label in ("NoLeak", "Leak"):
            simulated = levels.simulated(label, count(table.LEVEL_SITES), args.clips)
            yield from table.level_rows(levels.real(args.data, label), simulated, label)


def _date_set(recorded: Sequence[dates.Recorded], number: int) -> dates.DateFigures:
    """Return the figures of one set of simulated sites."""
    return dates.date_figures(dates.simulated(recorded, count(table.DATE_SITES + 1000 * number)))


def _mapped(work: Callable[[int], T], numbers: Sequence[int], jobs: Jobs, what: str) -> list[T]:
    return list(tqdm(ordered(work, numbers, jobs), total=len(numbers), desc=what, unit="", disable=None))
