"""Deletes what is too old, tier by tier, and makes the partitions of the days to come."""

from typing import Protocol

from leakear.dashboard.cases.store import Cases
from leakear.dashboard.evidence.clips import Clips
from leakear.dashboard.history import History, partitions
from leakear.dashboard.history.samples import Samples
from leakear.dashboard.ingest.readings import sweep_readings
from leakear.dashboard.options import ServeOptions
from leakear.dashboard.pipes.locating import Locating


class Kept(Protocol):
    """What the dashboard keeps."""

    options: ServeOptions
    history: History
    samples: Samples
    clips: Clips
    cases: Cases
    locating: Locating


def sweep(history: History, samples: Samples, options: ServeOptions, now: float) -> list[str]:
    """Delete what is too old at POSIX second `now`; return the file names of clips to delete. Blocking."""
    partitions.prepare(history.engine, now)
    sweep_readings(history.engine, now - options.keep_readings)
    samples.sweep(now, options.keep_minutes, options.keep_hours)
    return history.sweep(now, options.keep_events)


def sweep_all(kept: Kept, now: float) -> None:
    """Delete what is too old of everything that the dashboard keeps. Blocking."""
    options = kept.options
    kept.clips.remove(sweep(kept.history, kept.samples, options, now))
    kept.cases.sweep(now - options.keep_events)
    kept.locating.jobs.locations.sweep(now, options.keep_events)
    if kept.locating.jobs.shared:
        kept.locating.jobs.interrupt()
