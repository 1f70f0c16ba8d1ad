"""Writes the table and the pictures of a cross-validation."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from leakear.edge import files
from leakear.train.evaluation import metrics
from leakear.train.evaluation.cross_validation import Outcome
from leakear.train.evaluation.metrics import Estimate, Floats

_BASELINE = "dbmin"
"""The table shows each detector's AUC minus that of this one, when both were evaluated."""
_COLUMNS = (
    "detector",
    "AUC, files",
    "over dBmin",
    "AUC, windows",
    "balanced accuracy",
    "calibration error",
    "misses at 10 % false alarms",
    "AUC, other draws",
    "balanced accuracy, other draws",
)


@dataclass(frozen=True)
class Result:
    """One detector's scores."""

    name: str
    description: str
    outcome: Outcome
    drawn: tuple[Outcome, ...]
    """Scores with other random divisions into folds."""


@dataclass(frozen=True)
class Study:
    """Detectors that were evaluated on the same folds."""

    title: str
    results: tuple[Result, ...]
    bootstrap: int
    """Bootstrap samples for the intervals; 0: report only the mean over `drawn`."""


def figures(result: Result, study: Study) -> dict[str, Any]:
    """Return the figures of one detector."""
    found: dict[str, Any] = {"name": result.name, "what": result.description, "files": len(result.outcome.targets)}
    if result.drawn:
        for key, figure in (("auc", metrics.auc), ("balanced_accuracy", metrics.balanced_accuracy)):
            values = [_of_files(figure, outcome) for outcome in result.drawn]
            found[f"{key}_draws"] = {"count": len(values), "mean": float(np.mean(values)), "values": values}
    if not study.bootstrap:
        return found
    return found | {key: asdict(value) for key, value in _estimates(result, study).items()}


def _of_files(figure: metrics.Figure, outcome: Outcome) -> float:
    scores = outcome.scores if figure is metrics.auc else outcome.probabilities
    return figure(scores, outcome.targets)


def _estimates(result: Result, study: Study) -> dict[str, Estimate]:
    o, n = result.outcome, study.bootstrap
    baseline = next(
        (other.outcome for other in study.results if other.name == _BASELINE and result.name != _BASELINE), None
    )
    found = {
        "auc": metrics.estimate(metrics.auc, o.scores, o.targets, o.groups, n),
        "auc_windows": metrics.estimate(metrics.auc, o.window_scores, o.window_targets, o.window_groups, n),
        "balanced_accuracy": metrics.estimate(metrics.balanced_accuracy, o.probabilities, o.targets, o.groups, n),
        "calibration_error": metrics.estimate(metrics.calibration_error, o.probabilities, o.targets, o.groups, n),
        "misses_at_10": metrics.estimate(_misses_at_10, o.scores, o.targets, o.groups, n),
    }
    if baseline is not None:
        found["over_dbmin"] = metrics.difference(metrics.auc, o.scores, baseline.scores, o.targets, o.groups, n)
    return found


def _misses_at_10(scores: Floats, targets: metrics.Targets) -> float:
    return metrics.miss_rate_at(scores, targets, 0.1)


def markdown(study: Study) -> str:
    """Return the table as Markdown."""
    rows = [_row(figures(result, study)) for result in _each(study)]
    files, sites = len(study.results[0].outcome.targets), len(set(study.results[0].outcome.groups))
    note = f"{files} recordings of {sites} groups of sites; 95 % intervals from {study.bootstrap} draws of sites."
    header = f"| {' | '.join(_COLUMNS)} |"
    return "\n".join([f"### {study.title}", "", note, "", header, "|---" * len(_COLUMNS) + "|", *rows, ""])


def _each(study: Study) -> Iterator[Result]:
    return iter(tqdm(study.results, "intervals", unit="detector", leave=False, disable=None))


def _row(found: dict[str, Any]) -> str:
    keys = ("auc", "over_dbmin", "auc_windows", "balanced_accuracy", "calibration_error", "misses_at_10")
    cells = [str(Estimate(**found[key])) if key in found else "" for key in keys]
    cells += [_drawn(found.get(f"{key}_draws")) for key in ("auc", "balanced_accuracy")]
    return f"| {found['name']}: {found['what']} | " + " | ".join(cells) + " |"


def _drawn(found: dict[str, Any] | None) -> str:
    if not found:
        return ""
    values = found["values"]
    return f"{found['mean']:.3f} ({min(values):.2f} to {max(values):.2f}, {len(values)} draws)"


def write(output: Path, study: Study) -> None:
    """Write crossval.md, crossval.json and the pictures."""
    output.mkdir(parents=True, exist_ok=True)
    files.write(output / "crossval.md", (markdown(study) + "\n").encode())
    lines = [figures(result, study) | {"files_scores": _per_file(result.outcome)} for result in _each(study)]
    text = json.dumps({"title": study.title, "lines": lines}, indent=1)
    files.write(output / "crossval.json", (text + "\n").encode())
    for name, draw in (("roc", _roc), ("det", _det), ("reliability", _reliability)):
        _picture(output / f"{name}.png", study, draw)


def _per_file(outcome: Outcome) -> list[dict[str, Any]]:
    columns = zip(outcome.groups, outcome.targets, outcome.scores, outcome.probabilities, strict=True)
    return [
        {"group": group, "leak": int(leak), "score": round(float(score), 4), "probability": round(float(chance), 4)}
        for group, leak, score, chance in columns
    ]


def _picture(path: Path, study: Study, draw: Any) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for result in study.results:
        draw(axes, result)
    axes.set_title(study.title, fontsize=10)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def _roc(axes: Any, result: Result) -> None:
    alarms, misses = metrics.det(result.outcome.scores, result.outcome.targets)
    axes.step(np.append(0, alarms), np.append(0, 1 - misses), where="post", label=result.name)
    axes.set(xlabel="false alarm rate (recordings)", ylabel="detection rate", xlim=(0, 1), ylim=(0, 1.02))


def _det(axes: Any, result: Result) -> None:
    from scipy.stats import norm

    alarms, misses = metrics.det(result.outcome.scores, result.outcome.targets)
    axes.plot(*(norm.ppf(np.clip(rate, 0.01, 0.99)) for rate in (alarms, misses)), marker=".", label=result.name)
    ticks = [0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(norm.ppf(ticks), [f"{tick:.0%}" for tick in ticks])
    axes.set(xlabel="false alarm rate (recordings)", ylabel="miss rate")


def _reliability(axes: Any, result: Result) -> None:
    order = np.array_split(np.argsort(result.outcome.probabilities), 6)
    predicted = [result.outcome.probabilities[part].mean() for part in order]
    axes.plot(predicted, [result.outcome.targets[part].mean() for part in order], marker="o", label=result.name)
    axes.plot([0, 1], [0, 1], color="0.8", zorder=0)
    axes.set(xlabel="mean P(Leak) of a sixth of the recordings", ylabel="share of leaks", xlim=(0, 1), ylim=(0, 1))
