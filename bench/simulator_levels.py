"""Levels of simulated loggers beside those of real ones: `python -m bench.simulator_levels ../shared/data`."""

import sys
from pathlib import Path

import numpy as np

from leakear.edge.audio.recordings import read_wav
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram import spectrogram
from leakear.train.data import dataset
from leakear.train.simulator import Array, Site, clip

SPEC = SpectrogramSpec(reference="full-scale", band_hz=(20, 1800))
SITES = range(3000, 3120)


def levels(samples: Array) -> tuple[float, float]:
    """Return dBmin (5th percentile of the level over time) and the spread between the 5th and 95th percentile, dB."""
    total = 10 * np.log10((10 ** (spectrogram(samples[: SPEC.window_samples], SPEC) / 10)).sum(axis=0))
    low, high = np.percentile(total, (5, 95))
    return float(low), float(high - low)


def line(name: str, rows: list[tuple[float, float]]) -> None:
    """Print one set of clips."""
    low, spread = np.array(rows).T
    quartiles = "  ".join(f"{q:6.1f}" for q in np.percentile(low, (5, 25, 50, 75, 95)))
    print(f"{name:16} {len(rows):3} clips  dBmin 5/25/50/75/95 %: {quartiles} dBFS  spread {np.median(spread):.1f} dB")


def auc(leak: list[tuple[float, float]], dry: list[tuple[float, float]]) -> float:
    """Chance that a leak's dBmin is above a non-leak's."""
    return float(np.mean([a[0] > b[0] for a in leak for b in dry]))


def main() -> None:
    """Compare."""
    found: dict[str, list[tuple[float, float]]] = {}
    for recording in dataset.load(Path(sys.argv[1]) / "hk-noise-loggers"):
        found.setdefault(f"real {recording.label}", []).append(levels(read_wav(recording.path, SPEC)))
    loggers = [site for site in map(Site.draw, SITES) if site.sensor.kind == "logger"]
    for label in ("Leak", "NoLeak"):
        found[f"simulated {label}"] = [levels(clip(site, label, 1)) for site in loggers]
    for name, rows in found.items():
        line(name, rows)
    for kind in ("real", "simulated"):
        print(f"{kind}: AUC of dBmin alone {auc(found[f'{kind} Leak'], found[f'{kind} NoLeak']):.3f}")


if __name__ == "__main__":
    main()
