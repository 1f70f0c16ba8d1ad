"""Writes the report of a training: pictures, tables and one self-contained HTML page."""

import html
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from leakear.edge import files
from leakear.train.data.features import FeatureSet
from leakear.train.evaluation import comparison, figures, html_page, scoring
from leakear.train.evaluation.scoring import Scores
from leakear.train.runfolder import RunInfo

_EXAMPLES = 3
"""Number of windows shown for each kind of hit and miss."""


def write(
    folder: Path, info: RunInfo, history: Sequence[dict[str, float]], scores: Scores, validation: FeatureSet
) -> None:
    """Write every picture and table of a run folder, and report.html, which needs no other file."""
    drawn = {
        "history": figures.history(history),
        "confusion": figures.confusion(scores, info.threshold, info.judged),
        "roc": figures.roc_det(scores),
        "reliability": figures.reliability(scores),
    }
    for name, figure in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=100)
    table = scoring.classification_report(scores, info.threshold, info.judged)
    files.write(folder / "classification_report.txt", table.encode())
    scoring.write_csv(folder / "scores.csv", scores)
    files.write(folder / "comparison.md", (_comparison(info) + "\n").encode())
    parts = [
        html_page.head(f"leakear: {info.name}"),
        _headline(info),
        *(
            html_page.section(title, html_page.image(drawn[name]))
            for title, name in (
                ("Training", "history"),
                ("Confusion matrix", "confusion"),
                ("ROC and DET", "roc"),
                ("Calibration", "reliability"),
            )
        ),
        html_page.section("Classification report", f"<pre>{html.escape(table)}</pre>"),
        html_page.section("Sites", _sites(scores, info.threshold)),
        *(html_page.section(title, body) for title, body in _examples(info, scores, validation)),
        html_page.section("Yours and the factory model", f"<pre>{html.escape(_comparison(info))}</pre>"),
        html_page.section("Recordings left out", _skipped(info)),
        html_page.section(
            "All values", f"<pre>{html.escape(json.dumps(info.to_json(), indent=1, ensure_ascii=False))}</pre>"
        ),
    ]
    files.write(folder / "report.html", ("\n".join(parts) + "\n").encode())


def _headline(info: RunInfo) -> str:
    split = info.split
    how = {
        "site": f"the sites of the {split['validation_files']} validation recordings were not used in training",
        "file": "files were drawn at random: sites are on both sides, so the figures are too good",
        "held-out": f"the {split['validation_files']} recordings of --hold-out were not used in training",
        "none": "nothing was held out: the figures below do not show the accuracy at other sites",
    }[split["by"]]
    rows = [
        (unit, str(m["count"]), *(f"{m[key]:.3f}" if key in m else "–" for key in _SHOWN))
        for unit, m in ((unit, info.metrics[unit]) for unit in ("windows", "files"))
    ]
    notes = f'<p class="note">Preset {html.escape(info.preset)}, {info.created}; split by {split["by"]}: {how}.'
    if info.training.get("patience") and info.training["start"] == "scratch":
        notes += f" Epoch {info.training['epoch_kept']} was chosen on the same validation recordings."
    if info.temperature != 1:
        notes += f" The temperature, {info.temperature:.2f}, was fitted to them too."
    notes += " These are too few files to compare two networks: <code>leakear-train crossval</code> gives intervals."
    return notes + "</p>" + html_page.table(("unit", info.judged, *_SHOWN.values()), rows)


def _comparison(info: RunInfo) -> str:
    said = info.metrics.get("comparison")
    return comparison.text(said) if said else comparison.NOTHING_HELD_OUT


_SHOWN = {
    "auc": "AUC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "calibration_error": "calibration error",
}


def _sites(scores: Scores, threshold: float) -> str:
    rows = [
        (line["site"], line["label"], str(line["files"]), str(line["right"]), f"{line['probability']:.3f}")
        for line in scoring.sites(scores, threshold)
    ]
    return html_page.table(("site", "label", "files", "correct", "mean P(Leak)"), rows)


def _examples(info: RunInfo, scores: Scores, validation: FeatureSet) -> Iterator[tuple[str, str]]:
    """Yield (title, pictures) of the clearest hits and the worst misses of each class."""
    alarm = scores.probabilities >= info.threshold
    kinds = (
        ("Leaks found", (scores.targets == 1) & alarm, -1),
        ("Leaks missed", (scores.targets == 1) & ~alarm, 1),
        ("No leak, no alarm", (scores.targets == 0) & ~alarm, 1),
        ("False alarms", (scores.targets == 0) & alarm, -1),
    )
    for title, mask, sign in kinds:
        rows = np.flatnonzero(mask)
        shown = rows[np.argsort(sign * scores.logits[rows], kind="stable")][:_EXAMPLES]
        pictures = "".join(_example(info, scores, validation, int(row)) for row in shown)
        yield f"{title}: {len(rows)} windows", f'<div class="row">{pictures}</div>' if pictures else "<p>none</p>"


def _example(info: RunInfo, scores: Scores, validation: FeatureSet, row: int) -> str:
    name = html.escape(scores.recordings[row].name)
    caption = f"{name}, window {scores.windows[row] + 1}: P(Leak) = {scores.probabilities[row]:.3f}"
    picture = html_page.image(figures.example(validation.read([row])[0], info.spectrogram))
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _skipped(info: RunInfo) -> str:
    skipped = info.data["skipped"]
    return (
        html_page.table(("file", "why"), [(entry["path"], entry["reason"]) for entry in skipped])
        if skipped
        else "<p>none</p>"
    )
