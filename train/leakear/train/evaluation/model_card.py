"""MODEL_CARD.md of the factory model: what it was taught on, how it was judged, and how good it is."""

from pathlib import Path
from typing import Any

from leakear.train.runfolder import Run

_TEXT = """\
# Factory model

`{file}`, {size:.1f} KiB, made {created} by `make model`; do not edit this card, it is written with the model.

One 10-second window in, one logit out; P(Leak) = sigmoid(logit / {temperature:.2f}), Leak from P = {threshold:.2f}.
It hears flow-like noise. A running tap is flow too: the node's decision over time tells use from leak.

## What it is
{parameters} parameters, int8. Spectrogram: {spectrogram}.
Two logits are added: the level of the quietest moment in the loudest band (172 Hz wide, averaged over edges
from 20 to 700 Hz), and a convolutional branch that learnt from simulated sites
and was shrunk toward zero on recordings.

## What it was taught on
- {leak} Leak and {noleak} NoLeak recordings of {sites} groups of sites (contact noise loggers, 4096 Hz, Hong Kong).
- {simulated_windows} simulated windows of {simulated_sites} sites, mixed in part with real background sound.

## How good it is
Recordings: each judged by a network fitted without its fold of sites (the manifest's five folds). The recordings'
gain is uncalibrated, and leaks may have been found because loggers alarmed on level: a level cue flatters itself here.
Its design was chosen with these recordings in sight; `docs/RESULTS.md` says what that is worth.
Simulated figures are not field accuracy.

The threshold was chosen on simulated node-days, for few false alarms (docs/decisions/0051); balanced accuracy
is at P = 0.5.

| judged on | count | AUC | balanced accuracy | calibration error |
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
