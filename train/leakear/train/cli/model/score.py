"""`leakear-train score`: the scores of an archive of recordings, however large, and a report by site and date."""

import argparse
from pathlib import Path

from tqdm import tqdm

from leakear.edge import files
from leakear.edge.audio.channels import Choice, choice
from leakear.edge.command_line import place, whole
from leakear.edge.errors import UsageError
from leakear.edge.model.tflite import FACTORY, Model
from leakear.train.archive import plan, report, shards
from leakear.train.archive.plan import Wanted
from leakear.train.archive.store import require, store
from leakear.train.data_options import pattern
from leakear.train.work.jobs import add_job_arguments, jobs_of

HELP = """\
Score every recording of an archive with a model file, as a node would, and report by site and date.

  leakear-train score /archive --out scores
  leakear-train score s3://bucket/2026 --out scores --scheduler tcp://10.0.0.1:8786
  leakear-train score /archive --out scores --site '^[^/]+/([^/]+)/'     the site is the second folder of a name

OUT/part-*.parquet: a row a recording; one that cannot be heard has the reason in the column error. Read them all with
pyarrow.parquet.read_table("scores"), DuckDB or pandas. OUT/_by_site_and_date.csv and _report.json are the report. The
same command continues where one stopped: a shard is there whole or not at all. What was added to the archive since is
not scored: give another --out.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("archive", help="folder, s3://BUCKET/FOLDER, or another address that fsspec opens")
    parser.add_argument("--out", type=place, required=True, metavar="DIR", help="folder for scores and report")
    parser.add_argument("--model", type=place, default=FACTORY, help="model file (default: the factory model)")
    parser.add_argument(
        "--channel",
        type=choice,
        default="mix",
        metavar="N|mix",
        help="channel to hear, from 1, or the mean of all (mix)",
    )
    parser.add_argument(
        "--site", type=pattern, metavar="REGEX", help="its (group) is the site (default: the first folder)"
    )
    parser.add_argument(
        "--date", type=pattern, default=plan.DATE, metavar="REGEX", help="its (group) is the date (default: YYYYMMDD)"
    )
    parser.add_argument("--shard", type=whole(1), default=500, metavar="N", help="recordings of a result file (500)")
    add_job_arguments(parser)


def main(args: argparse.Namespace) -> int:
    """Run the command."""
    chosen: Choice = args.channel
    if chosen == "all":
        raise UsageError("--channel all: a recording has one row: give the number of a channel, or mix")
    require()
    files.folder(args.out, "--out")
    Model.load(args.model)  # what is wrong with it is said before the archive is listed
    wanted = Wanted(
        archive=store(args.archive),
        model=Path(args.model).absolute(),
        out=Path(args.out).absolute(),
        channel=chosen,
        site=args.site or "",
        date=args.date,
        shard=args.shard,
    )
    found = plan.planned(wanted)
    with tqdm(total=found.recordings, unit="recording", disable=None) as bar:
        for count in shards.score(found, jobs_of(args)):
            bar.update(count)
    print(report.write(found))
    return 0
