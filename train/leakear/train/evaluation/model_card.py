"""MODEL_CARD.md of the factory model: training data, evaluation and figures."""

from pathlib import Path
from typing import Any

from leakear.train.runfolder import Run

_TEXT = """\
# Factory model

`{file}`, {size:.1f} KiB, made {created} by `make model`; do not edit this card, it is written with the model.

One 10-second window in, one logit out; P(Leak) = sigmoid(logit / {temperature:.2f}), Leak from P = {threshold:.2f}.
It detects flow-like noise. A running tap sounds the same: the node's decision over time separates use from leak.

## What it is
{parameters} parameters, int8. Spectrogram: {spectrogram}.
Two logits are added: that of the lowest level over time in the loudest band (172 Hz wide, averaged over lower edges
from 20 to 700 Hz), and that of a convolutional branch, which was trained on simulated sites
and shrunk toward zero on recordings.

## Training data
- {leak} Leak and {noleak} NoLeak recordings of {sites} groups of sites (contact noise loggers, 4096 Hz, Hong Kong).
- {simulated_windows} simulated windows of {simulated_sites} sites, some of them mixed with real background sound.

## How good it is
Each recording was scored by a network fitted without its fold of sites (the manifest's five folds). The recordings'
gain is not calibrated, and leaks may have been found because loggers alarmed on level: figures that depend on level are
too good here. The design was chosen with these recordings; `docs/RESULTS.md` shows the effect.
Figures on simulated windows are not field accuracy.

The threshold was chosen on simulated node-days, for few false alarms (docs/decisions/0051); balanced accuracy
is at P = 0.5.

| evaluated on | count | AUC | balanced accuracy | calibration error |
|---|---|---|---|---|
{rows}

## Credits
{credits}
"""


def text(run: Run, model: Path) -> str:
    """Return the card of a run whose model file has been written."""
    info = run.info
    names = {
        "recordings": "recordings (files), sites held out",
        "recordings_windows": "recordings (windows), sites held out",
        "simulated_windows": "simulated windows, sites held out",
    }
    rows = "\n".join(_row(label, info.metrics[key]) for key, label in names.items())
    return _TEXT.format(
        file=model.name,
        size=model.stat().st_size / 1024,
        created=info.created,
        temperature=info.temperature,
        threshold=info.threshold,
        parameters=info.training["parameters"],
        spectrogram=", ".join(f"{key} {value}" for key, value in info.spectrogram.to_json().items()),
        leak=info.data["files"]["train"]["Leak"],
        noleak=info.data["files"]["train"]["NoLeak"],
        sites=info.data["sites"],
        simulated_windows=info.data["simulated"]["windows"],
        simulated_sites=info.data["simulated"]["sites"],
        rows=rows,
        credits="\n".join(f"- {line}" for line in info.attribution),
    )


def _row(label: str, figures: dict[str, Any]) -> str:
    shown = " | ".join(f"{figures[key]:.3f}" for key in ("auc", "balanced_accuracy", "calibration_error"))
    return f"| {label} | {figures['count']} | {shown} |"
