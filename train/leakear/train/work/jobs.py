"""The options `--jobs` and `--scheduler`, declared and explained here for every command."""

import argparse
import os
from dataclasses import dataclass
from typing import Any, TypeAlias

from leakear.edge.command_line import whole

_SCHEMES = ("tcp://", "tls://")


@dataclass(frozen=True)
class Scheduler:
    """A Dask scheduler, whose workers do the work."""

    address: str
    """tcp://HOST:PORT or tls://HOST:PORT"""


Jobs: TypeAlias = int | Scheduler
"""Where work runs: in so many processes of this machine (1: in this one), or on the workers of a scheduler."""


def add_job_arguments(group: Any) -> None:
    """Declare `--jobs` and `--scheduler`."""
    one = group.add_mutually_exclusive_group()
    one.add_argument("--jobs", type=whole(1), metavar="N", help="processes on this machine (default: one a core)")
    one.add_argument(
        "--scheduler",
        type=_address,
        metavar="tcp://HOST:PORT",
        help="Dask scheduler whose workers, on any number of machines, do the work instead (docs/CLUSTER.md)",
    )


def jobs_of(args: argparse.Namespace) -> Jobs:
    """Return where the work of this command line runs."""
    address = getattr(args, "scheduler", None)
    return Scheduler(address) if address else getattr(args, "jobs", None) or os.cpu_count() or 1


def _address(text: str) -> str:
    host, _, port = text.partition("://")[2].rpartition(":")
    if not text.startswith(_SCHEMES) or not host or not port.isascii() or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r}: give the scheduler's address as it prints it, tcp://HOST:PORT")
    return text
