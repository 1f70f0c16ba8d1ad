"""Records the real days of many nodes in parallel; a run continues where it stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from leakear.train import nodedays
from leakear.train.nodedays.places import Place, load
from leakear.train.nodedays.real_days import RealDays, Wanted
from leakear.train.nodedays.runs import RECORDING, START_UTC, NodeDay, Opener, kept, run_tasks
from leakear.train.work.jobs import Jobs

SOURCES = ("grains.py", "places.py", "real_days.py", "sounds.py")
"""Modules whose text decides what a node hears."""


@dataclass(frozen=True)
class Plan:
    """Which nodes, with which model."""

    out: Path
    model: Opener
    folders: tuple[Path, ...]
    """Recordings: manifests and folders of sounds."""
    nodes: int
    step_s: float
    """Seconds from window to window."""
    before: int = 3
    """Days of each node before the first day that may hold a leak."""
    after: int = 0
    """Days that follow that day."""
    first_node: int = 0
    snr_db: float | None = None
    """Of every leak; None: drawn."""
    gain_db: float = 0.0
    leave_out: tuple[str, ...] = ()
    """Names of places and sounds that are not used."""
    simulated_uses: bool = False
    """Whether half of the nodes hear simulated uses of water."""
    dry: bool = False
    """Whether no node has a leak; otherwise every other one has."""
    day_s: float = 86400.0
    """Less only for tests."""


def run(plan: Plan, jobs: Jobs) -> list[NodeDay]:
    """Record the days of all nodes that are not on disk yet, and return all of them. Every other node has a leak."""
    load(plan.folders, plan.leave_out)  # what cannot be read is reported before any work
    (plan.out / "recorded").mkdir(parents=True, exist_ok=True)
    tasks = [(plan, plan.first_node + number) for number in range(plan.nodes)]
    return run_tasks(_node, tasks, jobs, [plan.out, *plan.model.files()])


def node_days(plan: Plan, node: int) -> tuple[RealDays, str]:
    """Return the days of a node, and the name under which they are kept."""
    places = load(plan.folders, plan.leave_out)
    leak = node % 2 == 0 and not plan.dry
    wanted = Wanted(
        days=plan.before + 1 + plan.after,
        leak_day=plan.before if leak else None,
        snr_db=plan.snr_db,
        gain_db=plan.gain_db,
        simulated_uses=plan.simulated_uses,
        day_s=plan.day_s,
    )
    stem = f"node-{node:04}-{'leak' if leak else 'dry'}-{_digest(plan, places, wanted)}"
    return RealDays(places, node, wanted), stem


def _node(task: tuple[Plan, int]) -> NodeDay:
    plan, node = task
    days, stem = node_days(plan, node)
    recorded = kept(
        plan.out / "recorded" / stem,
        plan.model,
        plan.step_s,
        days.blocks(step_s=plan.step_s, start_utc=START_UTC),
    )
    return NodeDay(stem, dict(days.truth()), recorded, START_UTC, None)


def _digest(plan: Plan, places: list[Place], wanted: Wanted) -> str:
    """Digest of all that a recorded node depends on: model, step, recordings, plan, source text."""
    folder = Path(nodedays.__file__).parent
    text = hashlib.sha256(b"".join((folder / name).read_bytes() for name in SOURCES)).hexdigest()
    recordings = [path for place in places for date in place.dates for path in date]
    files = [[place.name for place in places], [[path.name, path.stat().st_size] for path in recordings]]
    given = [plan.model.key(), plan.step_s, asdict(wanted), RECORDING, text, files]
    return hashlib.sha256(json.dumps(given).encode()).hexdigest()[:12]
