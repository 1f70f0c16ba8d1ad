"""Strong leaks tried beside days that have none: how soon a node that knows its place tells them.

A node's leak-free days are recorded once; at several moments a leak of 5 to 20 dB is added and only the hours after it
are recorded again. Each leak meets the node as it was at that moment, its learnt limits included, and leaves no trace.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from leakear.edge.decision.judge import Judge
from leakear.edge.decision.state_machine import DecisionRule, State
from leakear.train.nodedays.outcome import FAST_S, share_interval
from leakear.train.nodedays.real_runs import Plan, node_days
from leakear.train.nodedays.recorded_day import RecordedDay, judged
from leakear.train.nodedays.runs import START_UTC, kept
from leakear.train.work.jobs import Jobs
from leakear.train.work.tasks import ordered

HEARD_S = 4 * 3600.0
"""Seconds of each leak that are heard."""


@dataclass(frozen=True)
class Trial:
    """One leak, and when the node told it."""

    node: int
    name: str
    """of the leak"""
    snr_db: float
    """against the surroundings, within BAND_HZ"""
    onset_s: float
    """its beginning, s from the beginning of the node's days"""
    before: State
    """state of the pipe at that moment: a node that suspects something already is no trial"""
    warning_s: float | None
    """from its beginning to WARNING or LEAK; None: not within HEARD_S"""
    leak_s: float | None
    """from its beginning to LEAK"""


def run(plan: Plan, rule: DecisionRule, count: int, jobs: Jobs) -> list[Trial]:
    """Try some leaks at each node, in the days from `plan.before` on. Their nodes have no leak (`plan.dry`)."""
    nodes = range(plan.first_node, plan.first_node + plan.nodes)
    made = ordered(partial(_tried, plan, rule, count), nodes, jobs)
    return [trial for found in tqdm(made, "strong leaks", len(nodes), unit="node", disable=None) for trial in found]


def _tried(plan: Plan, rule: DecisionRule, count: int, node: int) -> list[Trial]:
    days, stem = node_days(plan, node)
    rng = np.random.default_rng([0x7121, node])
    onsets = np.sort(rng.uniform(plan.before * plan.day_s, days.seconds - HEARD_S, count)).tolist()
    tracks = [days.another_leak(node * 1000 + number, at) for number, at in enumerate(onsets)]
    recorded = RecordedDay.load(plan.out / "recorded" / f"{stem}.npz")
    found = []
    for number, judge in enumerate(_judges_at(recorded, rule, onsets)):
        track, onset = tracks[number], onsets[number]
        first = onset // plan.step_s * plan.step_s  # windows are made from multiples of the step on
        sound = days.blocks(step_s=plan.step_s, start_utc=START_UTC, between=(first, first + HEARD_S), beside=(track,))
        branch = kept(plan.out / "recorded" / f"{stem}-strong-{number}", plan.model, plan.step_s, sound)
        before = judge.decision.pipe
        warning, leak = _told(branch, judge, onset)
        found.append(Trial(node, track.name, track.spells[0].db, onset, before, warning, leak))
    return found


def _judges_at(recorded: RecordedDay, rule: DecisionRule, onsets: Sequence[float]) -> Iterator[Judge]:
    """Judge the leak-free days; yield a copy of the judge as it is at each moment."""
    waiting = list(onsets)
    for seen in judged(recorded, recorded.judge(rule)):
        while waiting and seen.row + 1 < len(recorded.kind) and recorded.end_utc[seen.row + 1] - START_UTC > waiting[0]:
            yield copy.deepcopy(seen.judge)
            waiting.pop(0)


def _told(branch: RecordedDay, judge: Judge, onset_s: float) -> tuple[float | None, float | None]:
    """Return the seconds from a leak's beginning to WARNING (or LEAK) and to LEAK."""
    warning = leak = None
    for seen in judged(branch, judge):
        after_s = float(branch.end_utc[seen.row]) - START_UTC - onset_s
        pipe = judge.decision.pipe
        if warning is None and pipe is not State.OK:
            warning = after_s
        if leak is None and pipe is State.LEAK:
            leak = after_s
    return warning, leak


def summary(trials: Sequence[Trial]) -> dict[str, Any]:
    """Count what was told within the hour, with exact intervals; trials at a node that suspected already are apart."""
    fresh = [trial for trial in trials if trial.before is State.OK]
    warned = sum(trial.warning_s is not None and trial.warning_s <= FAST_S for trial in fresh)
    found = sum(trial.leak_s is not None and trial.leak_s <= FAST_S for trial in fresh)
    return {
        "leaks": len(fresh),
        "suspected_already": len(trials) - len(fresh),
        "nodes": len({trial.node for trial in fresh}),
        "warning_within_hour": warned,
        "warning_interval": share_interval(warned, len(fresh)) if fresh else None,
        "leak_within_hour": found,
        "leak_interval": share_interval(found, len(fresh)) if fresh else None,
        "warning_at_all": sum(trial.warning_s is not None for trial in fresh),
        "leak_at_all": sum(trial.leak_s is not None for trial in fresh),
    }


def text(found: dict[str, Any]) -> str:
    """Write the summary for people."""
    if not found["leaks"]:
        return "strong leaks tried: none at a node that was OK"
    warning, leak = (
        f"{found[f'{key}_within_hour']} of {found['leaks']} (95 % interval {low:.0%} to {high:.0%})"
        for key in ("warning", "leak")
        for low, high in [found[f"{key}_interval"]]
    )
    return (
        f"strong leaks tried, 5 to 20 dB, at {found['nodes']} nodes: within the hour WARNING or LEAK {warning}, "
        f"LEAK {leak};\n"
        f"  within {HEARD_S / 3600:g} h WARNING or LEAK {found['warning_at_all']}, LEAK {found['leak_at_all']}; "
        f"{found['suspected_already']} more began where something was suspected already"
    )
