"""`leakear-train simulate OUT`: writes labelled clips of simulated sites, and simulated days with their events."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.command_line import number, whole
from leakear.train.simulator import RATE, Array, Label, Site, clip
from leakear.train.simulator.day import Day
from leakear.train.work.jobs import Jobs, add_job_arguments, jobs_of
from leakear.train.work.tasks import ordered

HELP = """\
Make labelled clips of simulated leaks and non-leaks, in the manifest format that every other command reads.

  leakear-train simulate sim --sites 200 --clips 20
  leakear-train simulate sim --sites 4 --clips 0 --days 2 --store   whole days too, with their events

Equal seeds give equal files. Accuracy on simulated sound is not field accuracy. The model of the sound:
docs/SIMULATOR.md
"""
COLUMNS = ("path", "label", "material", "site", "date", "sample_rate", "seconds", "sha256", "fold", "sensor")


@dataclass(frozen=True)
class SiteOptions:
    """What to make at each site."""

    out: Path
    clips: int
    """Clips per site, alternating Leak and NoLeak."""
    seconds: float
    """Length of a clip."""
    folds: int
    """Number of folds; each site is in one."""
    use: float
    """Share of the non-leaks in which a tap runs; in one window that sounds like a leak."""
    days: int
    """Days per site."""
    store: bool
    """Keep the days' sound as FLAC, 1 to 2 GB each; otherwise only the events are written, as JSON."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("out", type=Path, help="folder to write: Leak/, NoLeak/, days/, manifest.csv")
    parser.add_argument("--sites", type=whole(1), default=20, help="how many sites (default: 20)")
    parser.add_argument("--seed", type=whole(0), default=0, help="number of the first site (default: 0)")
    parser.add_argument("--clips", type=whole(0), default=20, help="clips per site, half of them leaks (default: 20)")
    parser.add_argument(
        "--seconds", type=number(0, 3600, above=True), default=10.0, help="length of a clip (default: 10)"
    )
    parser.add_argument("--folds", type=whole(1), default=5, help="folds of the manifest, by site (default: 5)")
    parser.add_argument(
        "--use", type=number(0, 1), default=0.0, help="share of NoLeak clips with a running tap (default: 0)"
    )
    parser.add_argument(
        "--days", type=whole(0), default=0, help="days per site, with their events in JSON (default: 0)"
    )
    parser.add_argument("--store", action="store_true", help="write the sound of the days too, as FLAC")
    add_job_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    options = SiteOptions(args.out, args.clips, args.seconds, args.folds, args.use, args.days, args.store)
    files.folder(options.out, "OUT")
    rows = simulate(options, range(args.seed, args.seed + args.sites), jobs_of(args))
    print(f"{len(rows)} clips of {args.sites} sites, {args.sites * args.days} days -> {args.out}")
    return 0


def simulate(options: SiteOptions, seeds: Iterable[int], jobs: Jobs = 1) -> list[dict[str, Any]]:
    """Make all clips and days and write the manifest; return its rows."""
    seeds = list(seeds)
    options.out.mkdir(parents=True, exist_ok=True)
    options = replace(options, out=options.out.absolute())
    made = ordered(partial(make_site, options), seeds, jobs, files=[options.out])
    rows = [row for site in tqdm(made, total=len(seeds), unit="site", disable=None) for row in site]
    if options.clips:
        with (options.out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return rows


def make_site(options: SiteOptions, seed: int) -> list[dict[str, Any]]:
    """Make the clips and days of one site; return its rows of the manifest."""
    site = Site.draw(seed)
    for day in range(options.days):
        _write_day(options, Day(site, 0, leak=day % 2 == 0, date=day))
    return [_write_clip(options, site, number) for number in range(options.clips)]


def _write_clip(options: SiteOptions, site: Site, number: int) -> dict[str, Any]:
    label = "Leak" if number % 2 == 0 else "NoLeak"
    tap = label == "NoLeak" and np.random.default_rng([site.seed, number]).random() < options.use
    samples = clip(site, cast("Label", "Use" if tap else label), number, options.seconds)
    path = options.out / label / f"{site.name}-{number:04d}.wav"
    _write(path, samples, site.sensor.bits)
    return {
        "path": str(path.relative_to(options.out)),
        "label": label,
        "material": "Metal" if site.pipe.material == "metal" else "NonMetal",
        "site": site.name,
        "date": "simulated",
        "sample_rate": RATE,
        "seconds": options.seconds,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "fold": site.seed % options.folds,
        "sensor": site.sensor.kind,
    }


def _write(path: Path, samples: Array, bits: int) -> None:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE, subtype="PCM_24" if bits > 16 else "PCM_16")


def _write_day(options: SiteOptions, day: Day) -> None:
    folder = options.out / "days"
    folder.mkdir(exist_ok=True)
    stem = f"{day.site.name}-{day.date}"
    (folder / f"{stem}.json").write_text(json.dumps(day.truth(), indent=1) + "\n", encoding="utf-8")
    if options.store:
        import soundfile

        subtype = "PCM_24" if day.site.sensor.bits > 16 else "PCM_16"
        with soundfile.SoundFile(folder / f"{stem}.flac", "w", RATE, 1, subtype) as file:
            for block in day.blocks():
                file.write(block.samples)
