"""Runs node-days in parallel. Recorded days are kept on disk, so a run continues where it stopped."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from tqdm import tqdm

from leakear.edge import files
from leakear.edge.audio.blocks import Block
from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.model.tflite import Model
from leakear.edge.pipeline import Pipeline, Scorer
from leakear.edge.schedule.hours import ScheduleOptions
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.windows import WindowOptions
from leakear.train import simulator
from leakear.train.nodedays.background_sound import Night
from leakear.train.nodedays.recorded_day import MEASURES, RecordedDay, record
from leakear.train.simulator.day import Day, first_date
from leakear.train.simulator.site import Site
from leakear.train.simulator.timeline import START_HOUR
from leakear.train.simulator.units import HOP, RATE
from leakear.train.work.jobs import Jobs
from leakear.train.work.tasks import unordered

T = TypeVar("T")

RECORDING = ("4", *MEASURES)
"""What the kept files hold: a version, to increase when `RecordedDay` changes, and the measures of a window."""
START_UTC = START_HOUR * 3600
"""POSIX seconds of a day's beginning."""
WINDOW_S = 10.0
"""Seconds of a window."""
NIGHT_HOURS = (11.5, 16.5)
"""Hours after noon from which a node without days before is calibrated: 23:30 to 04:30."""


class Opener(Protocol):
    """How a process loads the network that scores; must be picklable."""

    def key(self) -> str:
        """Return a name for the kept files: another network, another name."""

    def files(self) -> tuple[Path, ...]:
        """Return the files it is loaded from: they must be the same wherever it is."""

    def open(self) -> tuple[Scorer, SpectrogramSpec]:
        """Load it."""


@dataclass(frozen=True)
class FileModel:
    """A converted model."""

    path: Path

    def key(self) -> str:
        """Return the digest of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def files(self) -> tuple[Path, ...]:
        """Return the file."""
        return (self.path,)

    def open(self) -> tuple[Scorer, SpectrogramSpec]:
        """Load it as the daemon does."""
        model = Model.load(self.path)
        return model, model.info.spec


@dataclass(frozen=True)
class Plan:
    """Which days, with which model."""

    out: Path
    model: Opener
    days: int
    first_site: int
    step_s: float
    """Seconds from window to window."""
    snr_db: float | None = None
    """Of every leak; None: drawn."""
    calibrate: bool = False
    """Calibrate on the day before each day, or on an additional night where there is none."""
    nights: Path | None = None
    """Recorded background instead of simulated days."""
    minutes: float = 20.0
    """Of each recorded sound."""
    hours: float = 24.0
    """Of each day; less than 24 only for tests."""
    before: int = 0
    """Leak-free days of the same node before each day, without a break."""
    after: int = 0
    """Days of the same node after it, in which its leak goes on."""
    listen: tuple[str, ...] = ()
    """Listening hours of the nodes, UTC, as in [schedule]: only their sound is made. Empty: all day."""


@dataclass(frozen=True)
class NodeDay:
    """One recorded day of a node, with the days before it and what really happened."""

    name: str
    truth: dict[str, Any]
    recorded: RecordedDay
    start_utc: float
    """POSIX seconds of the day's beginning."""
    before: RecordedDay | None
    """Leak-free day or night for the calibration; None without calibration."""


def run(plan: Plan, jobs: Jobs) -> list[NodeDay]:
    """Record all days that are not on disk yet, and return all of them."""
    (plan.out / "recorded").mkdir(parents=True, exist_ok=True)
    tasks = [(plan, number) for number in range(plan.days)]
    return run_tasks(_node_day, tasks, jobs, [plan.out, *plan.model.files()])


def run_tasks(work: Callable[[T], NodeDay], tasks: Sequence[T], jobs: Jobs, files: Sequence[Path]) -> list[NodeDay]:
    """Do the work of each task with a progress bar; return the results in order. `files`: of `tasks.unordered`."""
    done = unordered(work, tasks, jobs, files=files)
    found = dict(tqdm(done, total=len(tasks), unit="day", disable=None))
    return [found[number] for number in range(len(tasks))]


def _node_day(task: tuple[Plan, int]) -> NodeDay:
    plan, number = task
    site = Site.draw(plan.first_site + number)
    leak = number % 2 == 0
    stem = f"{site.name}-{'night' if plan.nights else 'day'}-{'leak' if leak else 'dry'}-{_digest(plan, number)}"
    path = plan.out / "recorded" / stem
    if plan.nights:
        leak_db = (plan.snr_db if plan.snr_db is not None else 10.0) if leak else None
        night = Night(site, number, plan.nights, leak_db=leak_db, minutes=plan.minutes)
        return NodeDay(stem, dict(night.truth()), kept(path, plan.model, plan.step_s, night.blocks()), 0.0, None)
    first = first_date(site, number)
    days = [Day(site, number, leak=False, date=first + k) for k in range(plan.before)]
    that = Day(site, number, leak=leak, snr_db=plan.snr_db, date=first + plan.before)
    if plan.after and that.leak is not None:
        that = Day(site, number, leak=leak, date=that.date, leak_of=that, leak_from_s=that.leak.start_s)
    later = [
        Day(site, number, leak=leak, date=that.date + 1 + k, leak_of=that if leak else None) for k in range(plan.after)
    ]
    days += [that, *later]
    recorded = kept(path, plan.model, plan.step_s, stream(days, plan))
    return NodeDay(stem, _truth(days, plan), recorded, START_UTC, _night(that, plan, path, recorded))


def stream(days: Sequence[Day], plan: Plan) -> Iterator[Block]:
    """Stream days one after the other as one sound; between listening hours nothing comes."""
    start = begun = end = 0  # sample where the day, the unbroken sound and the last stretch begin or end
    for day in days:
        before_s, length = start / RATE, min(round(plan.hours * 3600 * RATE / HOP), day.stretches)
        for first, last in _awake(plan, START_UTC + before_s, length):
            at, hours = start + first * HOP, (first * HOP / RATE / 3600, last * HOP / RATE / 3600)
            begun = begun if at == end else at
            heard_s = (at - begun) / RATE
            for block in day.blocks(hours=hours, utc=START_UTC + before_s, step_s=plan.step_s, heard_s=heard_s):
                yield replace(block, start=at + block.start, monotonic=before_s + block.monotonic)
            end = start + last * HOP
        start += length * HOP


def _awake(plan: Plan, utc: float, stretches: int) -> Iterator[tuple[int, int]]:
    """Yield first and last stretch of each time in which a node listens, in a day that begins at `utc`.

    They end one window after its hours, which begin and end with a minute: with that window a recorded node goes to
    sleep.
    """
    schedule = ScheduleOptions(listen=plan.listen).schedule(UTC)
    times, after_s = utc + np.arange(stretches) * HOP / RATE, plan.step_s + 2 * WINDOW_S
    first, last = math.floor((utc - after_s) / 60), math.floor(times[-1] / 60)
    awake = np.array([schedule.asleep_until(60.0 * minute) is None for minute in range(first, last + 1)])
    heard = np.logical_or(*(awake[np.floor(at / 60).astype(int) - first] for at in (times, times - after_s)))
    edges = np.flatnonzero(np.diff(np.array([False, *heard, False]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _truth(days: Sequence[Day], plan: Plan) -> dict[str, Any]:
    """Join the truths of days; the first of several is only for learning the background, and is not judged."""
    day_s = plan.hours * 3600
    events = [
        event | {"start_s": event["start_s"] + k * day_s, "end_s": min(event["end_s"], day_s) + k * day_s}
        for k, day in enumerate(days)
        for event in day.truth()["events"]
        if event["start_s"] < day_s
    ]
    leaks = [event for event in events if event["kind"] == "leak"]
    if len(leaks) > 1:  # one leak that goes on from day to day
        leaks[0]["end_s"] = leaks[-1]["end_s"]
        events = [event for event in events if event["kind"] != "leak" or event is leaks[0]]
    judged = {"events": events, "seconds": len(days) * day_s, "judged_from_s": day_s if len(days) > 1 else 0.0}
    return days[-1].truth() | judged


def _night(day: Day, plan: Plan, path: Path, recorded: RecordedDay) -> RecordedDay | None:
    """Return the sound for the calibration: the whole leak-free day before, or an additional night, the one before."""
    if not plan.calibrate:
        return None
    if plan.before:
        noon, day_s = START_UTC + plan.before * plan.hours * 3600, plan.hours * 3600
        return recorded.between(noon - day_s, noon)
    night = Day(Site.draw(day.site.seed), day.seed, leak=False, date=max(day.date - 1, 0))
    return kept(
        path.with_name(path.name + "-before"),
        plan.model,
        plan.step_s,
        night.blocks(hours=NIGHT_HOURS, step_s=plan.step_s),
    )


def kept(path: Path, model: Opener, step_s: float, blocks: Iterable[Block]) -> RecordedDay:
    """Load a recorded day from disk, or record and save it."""
    file = path.with_name(path.name + ".npz")
    if file.is_file():
        return RecordedDay.load(file)
    scorer, spec = model.open()
    recorded = record(blocks, Pipeline(scorer, spec, DecisionRule(), WindowOptions(step_s=step_s)))
    with files.replacing(file) as part:
        recorded.save(part)
    return recorded


def _digest(plan: Plan, number: int) -> str:
    """Digest of all that a recording depends on: model, step, leak, place in the plan, sounds, the simulator's text.

    `number`: the site's place in the plan. It seeds the day: with another first site, a site has another one.
    """
    package = Path(simulator.__file__).parent
    text = b"".join(path.read_bytes() for path in sorted(package.rglob("*.py")))
    simulated = hashlib.sha256(text).hexdigest()
    wanted = [
        plan.model.key(),
        plan.step_s,
        plan.snr_db,
        plan.minutes,
        plan.hours,
        plan.before,
        plan.after,
        RECORDING,
        simulated,
        number,
        list(plan.listen),
        sorted((path.name, path.stat().st_size) for path in plan.nights.rglob("*.wav")) if plan.nights else [],
    ]
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:12]
