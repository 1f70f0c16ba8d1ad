"""Options of every command that reads a data set: which recordings, which label, which channel."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from leakear.edge.audio.channels import Channel, Choice, choice, each, told
from leakear.edge.audio.recordings import channels
from leakear.edge.errors import InputDataError
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.texts import counted, printable
from leakear.train.data import dataset
from leakear.train.data.collection import labels, prepare
from leakear.train.data.collection.prepare import Prepared
from leakear.train.data.dataset import Listed, Recording
from leakear.train.data.features import default_cache
from leakear.train.work.jobs import Jobs, add_job_arguments, jobs_of


def add_arguments(group: Any) -> None:
    """Declare the options."""
    group.add_argument("--manifest", type=Path, help="table of recordings (default: DATA/manifest.csv if it is there)")
    group.add_argument(
        "--label",
        type=labels.mapping,
        action="append",
        default=[],
        metavar="NAME=Leak|NoLeak",
        help="class of a folder, or of a label in the manifest; repeat for several",
    )
    group.add_argument(
        "--channel",
        type=choice,
        default="mix",
        metavar="N|mix|all",
        help="channel to hear, from 1; the mean of all; or each by itself (mix)",
    )


def add_cache_arguments(group: Any) -> None:
    """Declare where computed values are kept, and where they are computed."""
    group.add_argument("--cache", type=Path, metavar="DIR", help="where computed features are kept")
    add_job_arguments(group)


def pattern(text: str) -> str:
    """Read a regular expression with one group. Raises argparse.ArgumentTypeError."""
    try:
        if re.compile(text).groups == 1:
            return text
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    raise argparse.ArgumentTypeError(f"{text!r}: give a regular expression with one (group)")


@dataclass(frozen=True)
class DataSet:
    """The data set that a command line names."""

    listed: Listed
    channel: Choice
    cache: Path
    jobs: Jobs

    def openable(self) -> list[tuple[Recording, list[Channel]]]:
        """Return each recording with the channels to hear; print which ones, and name what cannot be opened."""
        counts: dict[Recording, int] = {}
        for recording in tqdm(self.listed.recordings, "opening", unit="file", leave=False, disable=None):
            try:
                counts[recording] = _channels(recording)
            except InputDataError as error:
                print(f"left out: {error}")
        for line in told(counts.values(), self.channel):
            print(line)
        return [(recording, each(self.channel, count)) for recording, count in counts.items()]

    def prepare(self, spec: SpectrogramSpec, *, clipped: bool = False) -> Prepared:
        """Listen to it and print what a person should know. `clipped`: keep clipped recordings. InputDataError."""
        found = prepare.prepare(self.listed, spec, self.channel, self.cache, self.jobs, clipped=clipped)
        for line in found.lines():
            print(line)
        for name, reason in found.left_out:
            print(f"left out: {name}: {reason}")
        if found.left_out:
            print(f"{counted(len(found.left_out), 'recording')} left out")
        return found


def _channels(recording: Recording) -> int:
    """Return how many channels it has. Raises InputDataError."""
    if recording.path.exists() and not recording.path.is_file():  # nobody may ever write into a pipe
        raise InputDataError(f"{recording.name}: is no file; name a recording")
    return channels(recording.path)


def listed(args: argparse.Namespace, *, fold_column: str = "fold", site_pattern: str | None = None) -> DataSet:
    """List the recordings, and print which folder became which class and what was not taken. Raises InputDataError."""
    found = dataset.listed(
        args.data, args.manifest, fold_column=fold_column, site_pattern=site_pattern, labels=dict(args.label)
    )
    for line in found.lines:
        print(line)
    return DataSet(found, args.channel, getattr(args, "cache", None) or default_cache(), jobs_of(args))


def backgrounds(
    folder: Path | None, spec: SpectrogramSpec, cache: Path | None = None, jobs: Jobs = 1
) -> tuple[Path, ...]:
    """Return the sounds to mix in; name those that cannot be used. Raises InputDataError."""
    if folder is None:
        return ()
    good, bad = prepare.backgrounds(folder, spec, cache or default_cache(), jobs)
    for name, why in bad:
        print(f"background not used: {name}: {why}")
    print(f"{len(good)} background sounds in {printable(folder)}")
    return good
