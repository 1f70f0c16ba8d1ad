"""The table of docs/results/conversion.md: networks × modes: size, loss, agreement, time, memory, on every runtime.

    python bench/conversion.py compact=RUN reference=RUN        all modes; what was measured before is kept
    python bench/conversion.py reference=RUN --modes int8 --windows 24 --calibration-windows 60 --again
    python bench/conversion.py --untrained     the reference network before training: size, time, memory alone

Each conversion runs in a process of its own (the reference network needs up to 20 GiB) and each runtime in another.
Figures are kept in docs/results/conversion.json; the page is written from it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from leakear.convert import gate, runtimes
from leakear.convert.convert import Options, choose_calibration
from leakear.convert.flatbuffer import arena_bytes, logit_scale, operators
from leakear.convert.legacy import too_new
from leakear.convert.quantise import MODES, quantise
from leakear.convert.runtimes import Outcome
from leakear.convert.source import Source, float_logits, load
from leakear.edge.spectrogram import SpectrogramSpec, spectrogram

FOLDER = Path(__file__).parents[1] / "docs" / "results"
KEPT, PAGE = FOLDER / "conversion.json", FOLDER / "conversion.md"
FIRST_SITE = 600_000
"""sites of the simulated windows: none that training or other figures use"""


def main() -> int:
    """Measure what is missing, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="NAME=RUN", help="run folders of leakear-train")
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--windows", type=int, default=200, help="simulated ones; as many real ones at most")
    parser.add_argument("--calibration-windows", type=int, default=200)
    parser.add_argument("--again", action="store_true", help="measure also what was measured before")
    parser.add_argument("--untrained", action="store_true", help="the reference network of bench/reference_model.py")
    parser.add_argument("--one", nargs=2, metavar=("RUN", "MODE"), help="measure one and print it as JSON")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(Path(args.one[0]), args.one[1], args.windows, args.calibration_windows)))
        return 0
    kept: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    if args.untrained:
        kept["reference, untrained int8"] = untrained()
    for name, run in (word.split("=", 1) for word in args.runs):
        for mode in args.modes.split(","):
            if args.again or f"{name} {mode}" not in kept:
                kept[f"{name} {mode}"] = apart(run, mode, args)
                FOLDER.mkdir(parents=True, exist_ok=True)
                KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(kept), encoding="utf-8")
    print(page(kept))
    return 0


def untrained() -> dict[str, Any]:
    """Return what does not depend on weights: size, time and memory of the reference network in int8."""
    from reference_model import reference_file

    flatbuffer = reference_file().read_bytes()
    windows = np.random.default_rng(0).integers(0, 256, (2, *SpectrogramSpec().shape), np.uint8)
    return {
        "mode": "int8",
        "kib": len(flatbuffer) / 1024,
        "arena_kib": arena_bytes(flatbuffer) / 1024,
        "too_new_for_214": too_new(operators(flatbuffer)),
        "runtimes": [runtime_row(runtimes.score(runtime, flatbuffer, windows, 10)) for runtime in runtimes.known()],
    }


def apart(run: str, mode: str, args: argparse.Namespace) -> dict[str, Any]:
    """Measure one network in one mode in a process of its own."""
    sizes = ["--windows", str(args.windows), "--calibration-windows", str(args.calibration_windows)]
    done = subprocess.run(
        [sys.executable, __file__, "--one", run, mode, *sizes], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(run: Path, mode: str, count: int, calibration: int) -> dict[str, Any]:
    """Convert one network in one mode and run it over real and simulated windows."""
    source = load(run)
    real, real_labels = recorded(source, count)
    made, made_labels = simulated(source.info.spectrogram, count)
    chosen = choose_calibration(source, Options(windows=calibration))
    windows = np.concatenate([chosen.codes, real, made])
    floating = float_logits(source.network, windows)
    began = time.monotonic()
    flatbuffer = quantise(source.network, mode, chosen.codes)
    seconds, peak = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    newest, *others = runtimes.known()
    outcome = runtimes.score(newest, flatbuffer, windows, repeats=20)
    few = np.concatenate([real[:8], made[:8]])
    outcomes = [outcome, *(runtimes.score(runtime, flatbuffer, few, repeats=20) for runtime in others)]
    logits = runtimes.require(outcome)
    parts = [slice(0, len(chosen.codes)), slice(len(chosen.codes), -len(made)), slice(-len(made), None)]
    wanted = gate.logit(source.info.threshold) * source.info.temperature
    scale = logit_scale(flatbuffer)
    fitted = gate.refit(floating[parts[0]], logits[parts[0]], wanted)
    thresholds = wanted, fitted if scale is None else scale.between(fitted)
    return {
        "mode": mode,
        "kib": len(flatbuffer) / 1024,
        "arena_kib": arena_bytes(flatbuffer) / 1024,
        "convert_s": seconds,
        "convert_peak_gib": peak,
        "too_new_for_214": too_new(operators(flatbuffer)),
        "runtimes": [runtime_row(item) for item in outcomes],
        "real": compared(floating[parts[1]], logits[parts[1]], real_labels, thresholds, source),
        "simulated": compared(floating[parts[2]], logits[parts[2]], made_labels, thresholds, source),
    }


def recorded(source: Source, count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return real windows as heard: all held-out ones, then training windows up to `count`; and their labels."""
    kept, more = source.heldout, source.calibration
    rest = np.random.default_rng(1).permutation(len(more.codes))[: max(0, count - len(kept.codes))]
    return np.concatenate([kept.codes, more.codes[rest]]), np.concatenate([kept.labels, more.labels[rest]])


def simulated(spec: SpectrogramSpec, count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return windows of simulated sites, NoLeak and Leak in turn, two of each site; and their labels."""
    from leakear.train.simulator import Site, clip

    labels = np.arange(count, dtype=np.uint8) % 2
    codes = []
    for i, label in enumerate(labels):
        sound = clip(Site.draw(FIRST_SITE + i // 4), ("NoLeak", "Leak")[label], i, spec.window_seconds)
        decibels = spectrogram(sound[: spec.window_samples].astype(np.float32), spec)
        codes.append(np.rint((decibels - spec.floor) * (-255 / spec.floor)).astype(np.uint8))
    return np.stack(codes), labels


def compared(
    floating: NDArray[np.float64],
    logits: NDArray[np.float64],
    labels: NDArray[np.uint8],
    thresholds: tuple[float, float],
    source: Source,
) -> dict[str, Any]:
    """Compare converted and float network over windows of one kind."""
    verdict = gate.judge(floating, logits, thresholds, source.info.temperature)
    before, after = gate.auc(floating, labels), gate.auc(logits, labels)
    return {
        "windows": len(labels),
        "auc_float": before,
        "auc_change": after - before,
        "agreement": verdict.agreement,
        "flips": verdict.flips,
        "probability": verdict.probability,
    }


def runtime_row(outcome: Outcome) -> dict[str, Any]:
    """Return what the table tells of a runtime."""
    return {
        "role": outcome.runtime.role,
        "title": outcome.title,
        "loads": outcome.logits is not None if outcome.runtime.present else None,
        "error": outcome.error if outcome.runtime.present else "not here",
        "milliseconds": outcome.milliseconds,
        "resident_mb": outcome.resident_mb,
    }


def page(kept: dict[str, Any]) -> str:
    """Return the Markdown page."""
    titles = {row["role"]: row["title"] for found in kept.values() for row in found["runtimes"] if row["loads"]}
    head = ["network, mode", "KiB", "ΔAUC real", "alike real", "ΔAUC sim.", "alike sim.", "worst Δp"]
    head += [f"ms, {title}" for title in titles.values()] + ["RSS MB", "loads on 2.14", "conversion"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cells(key, found, titles)) + " |" for key, found in kept.items()]
    return INTRODUCTION + "\n".join(lines) + "\n" + REMARKS


def cells(key: str, found: dict[str, Any], titles: dict[str, str]) -> list[str]:
    """Return one line of the table."""
    rows = {row["role"]: row for row in found["runtimes"]}
    times = [rows.get(role, {}).get("milliseconds") for role in titles]
    legacy = rows["legacy"]["loads"]
    verdict = {True: "yes", False: "no", None: "no" if found["too_new_for_214"] else "yes by its operators"}[legacy]
    parts = [part for kind in ("real", "simulated") for part in share(found.get(kind))]
    worst = [found[kind]["probability"] for kind in ("real", "simulated") if kind in found]
    return [
        key,
        f"{found['kib']:.0f}",
        *parts,
        f"{max(worst):.3f}" if worst else "–",
        *("–" if ms is None else f"{ms:.2f}" for ms in times),
        f"{rows['newest']['resident_mb']:.0f}",
        verdict,
        f"{found['convert_s']:.0f} s, {found['convert_peak_gib']:.1f} GiB" if "convert_s" in found else "–",
    ]


def share(part: dict[str, Any] | None) -> list[str]:
    """Return ΔAUC, and the share decided alike with its count."""
    if part is None:
        return ["–", "–"]
    alike = part["windows"] - part["flips"]
    return [f"{part['auc_change']:+.4f}", f"{alike}/{part['windows']}"]


INTRODUCTION = """\
# Conversion: what each mode costs and loses

Made by `python bench/conversion.py compact=RUN reference=RUN` (`make conversion-table`), with RUN the run folders of
`leakear-train fit DATA --preset compact|reference`; the figures are kept in conversion.json beside this page. Take
ratios, not times: other work ran on the two cores at the same time.

"""
REMARKS = """
- **real**: windows of the noise-logger recordings as heard, the held-out ones first, then training ones: enough to
  see what quantising changes; how good the networks are is told elsewhere. **sim.**: simulated sites, never trained
  on; a figure on simulated sound is not field accuracy.
- **ΔAUC**: AUC of the converted network less that of the float one over the same windows. **alike**: windows on which
  both decide alike, each at its own threshold (the converted one's fitted on the calibration set). **worst Δp**: the
  largest difference of P(leak).
- **ms**: one inference, one thread, median of 20; spectrogram not included. **RSS**: Python, numpy, LiteRT and the
  model in a process of their own. **conversion**: time and peak memory of the converting process.
- int8-io differs from int8 only in that the node writes integers; int16x8 has no fast kernels.
"""

if __name__ == "__main__":
    sys.exit(main())
