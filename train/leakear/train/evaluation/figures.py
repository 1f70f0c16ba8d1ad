"""Pictures of a run. Each function draws one figure and returns it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from leakear.edge.spec import SpectrogramSpec
from leakear.train.data.clips import Codes
from leakear.train.evaluation.scoring import Floats, Scores, Targets
from leakear.train.runfolder import LABELS

_LEAK, _NOLEAK = "#c8553d", "#2f6f8f"


def history(entries: Sequence[dict[str, float]]) -> Figure:
    """Draw losses and accuracies over the epochs."""
    figure = Figure((9, 3.6), layout="constrained")
    epochs = range(1, len(entries) + 1)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, label, colour in ((name, "training", _NOLEAK), (f"val_{name}", "validation", _LEAK)):
            if key in entries[0]:
                axes.plot(
                    epochs,
                    [entry[key] for entry in entries],
                    label=label,
                    color=colour,
                    marker="." * (len(entries) < 3),
                )
        axes.set(xlabel="epoch", ylabel=name)
        axes.set_ylim(bottom=0, top=1.02 if name == "accuracy" else None)
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    return figure


def confusion(scores: Scores, threshold: float, judged: str = "held-out") -> Figure:
    """Draw the confusion matrix of files. `judged`: of `RunInfo`."""
    part = scores.files()
    predicted = (part.probabilities >= threshold).astype(int)
    counts = np.zeros((2, 2), int)
    np.add.at(counts, (part.targets, predicted), 1)
    figure = Figure((4, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues", vmin=0)
    for (row, column), count in np.ndenumerate(counts):
        axes.text(
            column,
            row,
            str(count),
            ha="center",
            va="center",
            fontsize=16,
            color="white" if count > counts.max() / 2 else "black",
        )
    axes.set(xticks=[0, 1], yticks=[0, 1], xticklabels=LABELS, yticklabels=LABELS, xlabel="predicted", ylabel="true")
    axes.set_title(f"{judged} files")
    return figure


def roc_det(scores: Scores) -> Figure:
    """Draw ROC and DET curves of windows and files."""
    from scipy.stats import norm
    from sklearn.metrics import roc_auc_score, roc_curve

    figure = Figure((9, 4), layout="constrained")
    roc, det = figure.subplots(1, 2)
    for unit, part, colour in (("windows", scores, _NOLEAK), ("files", scores.files(), _LEAK)):
        if len(set(part.targets)) < len(LABELS):
            continue
        false, true, _ = roc_curve(part.targets, part.logits)
        auc = roc_auc_score(part.targets, part.logits)
        roc.step(false, true, where="post", color=colour, label=f"{unit}: AUC {auc:.3f} (n = {len(part.targets)})")
        rates = np.clip([false, 1 - true], 0.005, 0.995)
        det.step(*norm.ppf(rates), where="post", color=colour, label=unit)
    roc.plot([0, 1], [0, 1], color="grey", linewidth=0.7, linestyle=":")
    roc.set(xlabel="false alarms", ylabel="leaks found", title="ROC", aspect="equal")
    ticks = [0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99]
    for axis in (det.xaxis, det.yaxis):
        axis.set_ticks(norm.ppf(ticks), [f"{100 * tick:g} %" for tick in ticks])
    det.set(xlabel="false alarms", ylabel="leaks missed", title="DET")
    for axes in (roc, det):
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    return figure


def reliability(scores: Scores, bins: int = 10) -> Figure:
    """Draw the share of leaks against the predicted probability, before and after calibration."""
    figure = Figure((9, 3.6), layout="constrained")
    diagram, counts = figure.subplots(1, 2)
    part = scores.files()
    raw: Floats = 1 / (1 + np.exp(-part.logits))
    for probabilities, label, colour in ((raw, "as trained", "grey"), (part.probabilities, "calibrated", _LEAK)):
        diagram.plot(*_bins(probabilities, part.targets, bins), marker="o", color=colour, label=label)
    diagram.plot([0, 1], [0, 1], color="grey", linewidth=0.7, linestyle=":")
    diagram.set(
        xlabel="predicted P(Leak)", ylabel="share of leaks", title=f"files, temperature {scores.temperature:.2f}"
    )
    diagram.legend()
    edges = np.linspace(0, 1, bins + 1)
    counts.hist([part.probabilities[part.targets == t] for t in (0, 1)], edges, label=LABELS, color=[_NOLEAK, _LEAK])
    counts.set(xlabel="predicted P(Leak)", ylabel="files")
    counts.legend()
    return figure


def example(codes: Codes, spec: SpectrogramSpec) -> Figure:
    """Draw one window's spectrogram, shape (rows, frames)."""
    figure = Figure((4.2, 2.6), layout="constrained")
    axes = figure.subplots()
    decibels = codes.astype(np.float32) * (-spec.floor / 255) + spec.floor
    extent = (0, spec.window_seconds, spec.frequencies[0], spec.frequencies[-1])
    picture = axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="magma",
        vmin=np.percentile(decibels, 1),
        vmax=max(np.percentile(decibels, 99.9), spec.floor + 1),
    )
    axes.set(xlabel="s", ylabel="Hz")
    figure.colorbar(picture, label="dB")
    return figure


def _bins(probabilities: Floats, targets: Targets, bins: int) -> Any:
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    filled = [b for b in range(bins) if (place == b).any()]
    return [probabilities[place == b].mean() for b in filled], [targets[place == b].mean() for b in filled]
