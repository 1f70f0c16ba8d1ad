"""MODEL_CARD.md of the factory model: training data, evaluation and figures."""

from pathlib import Path
from typing import Any

from leakear.train.runfolder import Run

_TEXT = """\
# Factory model

`{file}`, {size:.1f} KiB, made {created} by `make model`; do not edit this card, it is written with the model.

One 10-second window in, one logit out; P(Leak) = sigmoid(logit / {temperature:.2f}), Leak from P = {threshold:.2f}.
It detects steady, flow-like noise. A running tap sounds the same:
the node's decision over time separates use from leak.

## What it is
{parameters} parameters, int8. Spectrogram: {spectrogram}.
The reference "own" is the window's mean level in dB: a sensor's gain does not change what the network gets.
Two logits are added: that of a statistic (steadiness of the level, and balance of high against low bands), and
that of a convolutional branch, which was trained on simulated sites and background sound and shrunk toward zero on
recordings.

## Training data
- {leak} Leak and {noleak} NoLeak recordings of {sites} groups of sites (contact noise loggers, 4096 Hz, Hong Kong).
- {simulated_windows} simulated windows of {simulated_sites} sites, some of them mixed with real background sound.
- {backgrounds} windows of background sound without a leak (ESC-10, four of five sources).
- Each window with random sensor response, cut-offs and self-noise; half of what is no recording was limited to a
  logger's band.

## How good it is
Each recording was scored by a network fitted without its fold of sites (the manifest's folds). The design was chosen
with these recordings; `docs/RESULTS.md` shows the effect. Figures on simulated windows are not field accuracy.

The threshold was chosen on days strung from real recordings; it does not decide alone (decisions 112 and 120).
Balanced accuracy is at P = 0.5.

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
        "leaks_and_background": "windows of recorded leaks and of background sound, both held out",
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
        backgrounds=info.data["backgrounds"],
        rows=rows,
        credits="\n".join(f"- {line}" for line in info.attribution),
    )


def _row(label: str, figures: dict[str, Any]) -> str:
    shown = " | ".join(f"{figures[key]:.3f}" for key in ("auc", "balanced_accuracy", "calibration_error"))
    return f"| {label} | {figures['count']} | {shown} |"
