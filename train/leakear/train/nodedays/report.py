"""Node-days as figures: one summary for the rule, one for calibrated nodes, a DET curve, a table of disturbances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from leakear.edge.decision.calibration import Baseline, CalibrationRefused, propose
from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.model.tflite import sigmoid
from leakear.train.nodedays.outcome import Outcome, judge, on_by_disturbance, summarise
from leakear.train.nodedays.recorded_day import RecordedDay, decide, judged
from leakear.train.nodedays.runs import NodeDay
from leakear.train.work.jobs import Jobs
from leakear.train.work.tasks import ordered

SWEEP = tuple(round(sigmoid(logit), 4) for logit in (-4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 5, 6))
"""Thresholds of the DET curve, P(leak)."""


def report(days: Sequence[NodeDay], rule: DecisionRule, *, sweep: bool = True, jobs: Jobs = 1) -> dict[str, Any]:
    """Judge all days under a rule; everything as JSON."""
    outcomes = [outcome(day, rule) for day in tqdm(days, "judging", unit="day", leave=False, disable=None)]
    found: dict[str, Any] = {
        "schema": 1,
        "simulated": True,
        "step_s": days[0].recorded.step_s,
        "rule": asdict(rule),
        "summary": summarise(outcomes),
        "disturbances": _disturbances(days, rule),
        "days": [asdict(o) for o in outcomes],
    }
    if days[0].before is not None:
        found |= calibrated(days, rule)
    if sweep:
        found["det"] = det(days, rule, jobs)
    return found


def listening(days: Iterable[NodeDay], listen: tuple[str, ...]) -> list[NodeDay]:
    """Return days of nodes that listen in these hours only, as in [schedule]."""
    return [
        replace(
            day,
            recorded=replace(day.recorded, listen=listen),
            before=None if day.before is None else replace(day.before, listen=listen),
        )
        for day in days
    ]


def outcome(day: NodeDay, rule: DecisionRule) -> Outcome:
    """Judge one day."""
    return judge(day.name, day.truth, decide(day.recorded, rule), rule, day.start_utc)


def calibrated(days: Sequence[NodeDay], rule: DecisionRule) -> dict[str, Any]:
    """Judge nodes calibrated on a leak-free day first, as `leakear-edge calibrate --accept-leak-like` does."""
    outcomes, refused = [], {}
    for day in tqdm(days, "calibrating", unit="day", leave=False, disable=None):
        assert day.before is not None
        try:
            learnt = learn(day.before, rule)
        except CalibrationRefused as error:
            learnt, refused[day.name] = rule, str(error)
        outcomes.append(outcome(day, learnt))
    return {
        "calibrated": summarise(outcomes),
        "calibrated_days": [asdict(o) for o in outcomes],
        "calibration_refused": refused,
    }


def learn(before: RecordedDay, rule: DecisionRule) -> DecisionRule:
    """Choose a node's threshold (and level gate, if its model hears levels) from leak-free sound.

    Raises CalibrationRefused.
    """
    baseline = Baseline(before.step_s)
    for seen in judged(before, before.judge(rule)):
        baseline.add(*seen.trusted)
    chosen = propose(
        baseline,
        on_fraction=rule.on_fraction,
        span_s=rule.span_s,
        gated=before.spec.reference != "own",
        model_threshold=rule.threshold,
        accept_leak_like=True,
    )
    gate = rule.level_gate_dbfs if chosen.level_gate_dbfs is None else chosen.level_gate_dbfs
    return replace(rule, threshold=chosen.threshold, level_gate_dbfs=gate)


def det(days: Sequence[NodeDay], rule: DecisionRule, jobs: Jobs) -> list[dict[str, Any]]:
    """Sweep the threshold of the rule, all days at each."""
    rules = [replace(rule, threshold=threshold) for threshold in SWEEP]
    judged_days = ordered(partial(_outcomes, rules), days, jobs)
    table = list(tqdm(judged_days, "thresholds", len(days), unit="day", leave=False, disable=None))
    kept = ("detection_rate", "delay_median_min", "delay_p90_min", "false_alarms", "false_alarms_per_day")
    points = []
    for number, changed in enumerate(rules):
        summary = summarise(row[number] for row in table)
        points.append({"threshold": changed.threshold} | {key: summary[key] for key in kept})
    return points


def _outcomes(rules: Sequence[DecisionRule], day: NodeDay) -> list[Outcome]:
    return [outcome(day, rule) for rule in rules]


def _disturbances(days: Sequence[NodeDay], rule: DecisionRule) -> dict[str, dict[str, float]]:
    """Share of leak-free windows that count as on while each kind of disturbance sounds."""
    total: dict[str, np.ndarray[Any, Any]] = {}
    for day in tqdm(days, "disturbances", unit="day", leave=False, disable=None):
        for kind, counts in on_by_disturbance(day.truth, day.recorded, rule, day.start_utc).items():
            total[kind] = total.get(kind, np.zeros(2)) + counts
    return {k: {"windows": int(n), "on": round(float(on / n), 4)} for k, (on, n) in sorted(total.items()) if n}


def text(found: Mapping[str, Any]) -> str:
    """Write the report for people."""
    lines = [
        _summary_text(
            "simulated days" if found["simulated"] else "days strung from real recordings",
            found["summary"],
            found["step_s"],
        )
    ]
    if "calibrated" in found:
        lines.append(_summary_text("calibrated nodes", found["calibrated"], found["step_s"]))
        lines.append(f"  calibration refused at {len(found['calibration_refused'])} nodes: they keep the default rule")
    lines.append("windows on without a leak, by what sounded:")
    lines += [f"  {kind:16} {row['on']:7.2%} of {row['windows']}" for kind, row in found["disturbances"].items()]
    if found.get("det"):
        lines.append("threshold  found  median delay  false alarms a node-day")
        lines += [_point_text(point) for point in found["det"]]
    return "\n".join(lines)


def _summary_text(name: str, s: Mapping[str, Any], step_s: float) -> str:
    low, high = s["false_alarms_per_day_interval"]
    lines = [f"{name}: {s['node_days']} node-days ({s['dry_node_days']} without a leak), a window every {step_s:g} s"]
    if s["leaks"]:
        below, above = s["detection_interval"]
        lines.append(
            f"  leaks found: {s['found']} of {s['leaks']} = {s['detection_rate']:.0%} (95 % interval {below:.0%} to "
            f"{above:.0%}); by in-band SNR: " + ", ".join(f"{k}: {a}/{n}" for k, (a, n) in s["by_snr"].items())
        )
    if s["delay_median_min"] is not None:
        lines.append(f"  delay: median {s['delay_median_min']:.0f} min, p90 {s['delay_p90_min']:.0f} min")
    lines.append(
        f"  false alarms: {s['false_alarms']} = {s['false_alarms_per_day']:.3f} a node-day (exact 95 % interval "
        f"{low:.3f} to {high:.3f}); a node-week at most {s['false_alarms_per_week_upper95']:.2f} (one-sided 95 %)"
    )
    lines.append(
        f"    a node-month: {s['false_alarms_per_month']:.2f}, at most {s['false_alarms_per_month_upper95']:.2f} "
        "(one-sided 95 %)"
    )
    for speed, row in s["speeds"].items():
        if row["leaks"]:
            low_share, high_share = row["leak_interval"]
            lines.append(
                f"  {speed}: LEAK {row['leak']} of {row['leaks']} (95 % interval {low_share:.0%} to {high_share:.0%}), "
                f"WARNING or LEAK {row['warning_or_leak']}"
            )
    if s["long_uses"]:
        lines.append(f"  uses of half an hour to 8 h told as LEAK: {s['long_uses_alarmed']} of {s['long_uses']}")
    if s["causes"]:
        lines.append("  sounding meanwhile: " + ", ".join(f"{k} {n}" for k, n in sorted(s["causes"].items())))
    lines.append(f"  warnings without a leak: {s['warnings_per_day']:.2f} a node-day")
    return "\n".join(lines)


def _point_text(p: Mapping[str, Any]) -> str:
    rate = "   -" if p["detection_rate"] is None else f"{p['detection_rate']:4.0%}"
    delay = "-" if p["delay_median_min"] is None else f"{p['delay_median_min']:.0f} min"
    return f"  {p['threshold']:.4f}   {rate}  {delay:>10}  {p['false_alarms_per_day']:.3f}"


def picture(found: Mapping[str, Any], path: Path) -> None:
    """Draw the DET curve: missed leaks against false alarms a node-day."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points = [p for p in found["det"] if p["detection_rate"] is not None]
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(
        xlabel="false alarms a node-day (simulated)", ylabel="leaks missed (simulated)", title="Threshold swept"
    )
    axes.set_xscale("symlog", linthresh=0.03)
    axes.plot([p["false_alarms_per_day"] for p in points], [1 - p["detection_rate"] for p in points], "o-")
    for p in points[::2]:
        axes.annotate(f"{p['threshold']:g}", (p["false_alarms_per_day"], 1 - p["detection_rate"]), fontsize=7)
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
