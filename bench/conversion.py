"""The table of docs/results/conversion.md: networks × modes: size, loss, agreement, time, memory, on every runtime.

    python -m bench.conversion compact=RUN reference=RUN        all modes; finished rows are kept
    python -m bench.conversion reference=RUN --modes int8 --windows 24 --calibration-windows 60 --again
    python -m bench.conversion --times         measure times and memory of all converted networks again, one by one
    python -m bench.conversion --untrained     the reference network before training: size, time, memory alone

Each conversion runs in a process of its own (the reference network needs up to 20 GiB), each runtime in another.
Figures are kept in docs/results/conversion.json, row by row: a run that was interrupted, or killed for memory, goes on
where it stopped, and measures only what other weights, options or another TensorFlow would change. The page is written
from it. Converted networks stay in --keep for --times.
"""

import argparse
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.conversion_page import page

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from leakear.convert.convert import Options, choose_calibration
from leakear.convert.describe import version_of
from leakear.convert.progress import stage
from leakear.convert.quantising import quantise
from leakear.convert.quantising.flatbuffer import arena_bytes, logit_scale, operators
from leakear.convert.source import Source, float_logits, load
from leakear.convert.verifying import gate, memory, runtimes
from leakear.convert.verifying.legacy import too_new
from leakear.convert.verifying.runtimes import Outcome
from leakear.edge.errors import LeakearError
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram import spectrogram
from leakear.train.evaluation.metrics import auc
from leakear.train.runfolder import Examples

FOLDER = Path(__file__).parents[1] / "docs" / "results"
FIRST_SITE = 600_000
"""sites of the simulated windows: none that training or other figures use"""
PATIENCE_S = 90.0
"""inference that a row may cost; fewer windows are judged where a mode is slow"""
ROUGHLY, REPEATS = 5, 20
"""timed runs while a row is made, beside other work, and with --times"""


def main() -> int:
    """Measure what is missing, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="NAME=RUN", help="run folders of leakear-train")
    parser.add_argument("--modes", default=",".join(quantise.MODES))
    parser.add_argument("--windows", type=int, default=200, help="simulated ones; as many real ones at most")
    parser.add_argument("--calibration-windows", type=int, default=200)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of conversion.json and conversion.md")
    parser.add_argument("--keep", type=Path, default=Path("runs/conversion"), help="folder for converted networks")
    parser.add_argument("--again", action="store_true", help="measure also what was measured before")
    parser.add_argument("--times", action="store_true", help="measure the times of what was converted again")
    parser.add_argument("--untrained", action="store_true", help="the reference network of bench/reference_model.py")
    parser.add_argument("--one", nargs=2, metavar=("RUN", "FILE"), help="measure one and print it as JSON")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(Path(args.one[0]), args.modes, args.windows, args.calibration_windows, args.one[1])))
        return 0
    figures = args.out / "conversion.json"
    kept: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8")) if figures.is_file() else {}
    args.keep.mkdir(parents=True, exist_ok=True)
    for name, run in (word.split("=", 1) for word in args.runs):
        for mode in args.modes.split(","):
            key, facts = f"{name} {mode}", depends_on(Path(run), args)
            row = kept.get(key, {})
            if args.again or "refused" in row or row.get("made_of") != facts:
                kept[key] = apart(run, mode, args, args.keep / f"{name}-{mode}.tflite") | {"made_of": facts}
                save(args.out, kept)
    if args.untrained:
        kept["reference, untrained int8"] = untrained()
    if args.times:
        for key, row in kept.items():
            if (file := args.keep / f"{key.replace(' ', '-', 1)}.tflite").is_file() and "runtimes" in row:
                row["load"] = os.getloadavg()[0]
                row["runtimes"] = timed(file.read_bytes(), SpectrogramSpec.from_json(row["spectrogram"]), REPEATS)
    save(args.out, kept)
    print(page(kept))
    return 0


def save(out: Path, kept: dict[str, Any]) -> None:
    """Write figures and page, whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    for path, text in (
        (out / "conversion.json", json.dumps(kept, indent=1) + "\n"),
        (out / "conversion.md", page(kept)),
    ):
        path.with_suffix(".part").write_text(text, encoding="utf-8")
        path.with_suffix(".part").replace(path)


def depends_on(run: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Return what a row's figures hang on: other weights, options or another converter make it stale."""
    text = b"".join(Path(str(module.__file__)).read_bytes() for module in (quantise, gate))
    return {
        "network": hashlib.sha256((run / "run.json").read_bytes()).hexdigest()[:16],
        "windows": args.windows,
        "calibration_windows": args.calibration_windows,
        "code": hashlib.sha256(text).hexdigest()[:16],
        "tensorflow": version_of("tensorflow"),
    }


def untrained() -> dict[str, Any]:
    """Return what does not depend on weights: size, time and memory of the reference network in int8."""
    from reference_model import reference_file

    flatbuffer = reference_file().read_bytes()
    return {
        "mode": "int8",
        "kib": len(flatbuffer) / 1024,
        "arena_kib": arena_bytes(flatbuffer) / 1024,
        "too_new_for_214": too_new(operators(flatbuffer)),
        "runtimes": timed(flatbuffer, SpectrogramSpec(), REPEATS),
    }


def timed(flatbuffer: bytes, spec: SpectrogramSpec, repeats: int) -> list[dict[str, Any]]:
    """Return what the table tells of each runtime."""
    window = np.random.default_rng(0).integers(0, 256, (1, *spec.shape), np.uint8)
    return [runtime_row(runtimes.score(runtime, flatbuffer, window, repeats)) for runtime in runtimes.known()]


def apart(run: str, mode: str, args: argparse.Namespace, file: Path) -> dict[str, Any]:
    """Measure one network in one mode in a process of its own; a refusal or a death is a row too."""
    sizes = ["--windows", str(args.windows), "--calibration-windows", str(args.calibration_windows)]
    command = [sys.executable, __file__, "--one", run, str(file), "--modes", mode, *sizes]
    print(f"{run} in {mode}", file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        died = signal.Signals(-done.returncode).name if done.returncode < 0 else f"status {done.returncode}"
        return {"mode": mode, "refused": f"the converting process ended with {died}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(run: Path, mode: str, count: int, calibration: int, file: str) -> dict[str, Any]:
    """Convert one network in one mode and run it over real and simulated windows."""
    source = load(run)
    try:
        memory.check(source.network, mode)
        chosen = choose_calibration(source, Options(windows=calibration))
        began = time.monotonic()
        with stage(f"{mode} conversion"):
            flatbuffer = quantise.quantise(source.network, mode, chosen.codes)
    except LeakearError as error:
        return {"mode": mode, "refused": str(error)}
    seconds, peak = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    Path(file).write_bytes(flatbuffer)
    times = timed(flatbuffer, source.info.spectrogram, ROUGHLY)
    share = min(1.0, PATIENCE_S * 1000 / (times[0]["milliseconds"] * (calibration + 2 * count)))
    n = max(4, round(share * count) // 2 * 2)
    real, real_labels = recorded(source, n)
    made, made_labels = simulated(source.info.spectrogram, n)
    fitting = chosen.codes[: max(4, round(share * calibration))]
    windows = np.concatenate([fitting, real, made])
    with stage(f"float network over {len(windows)} windows"):
        floating = float_logits(source.network, windows)
    with stage(f"{mode} over {len(windows)} windows"):
        logits = runtimes.require(runtimes.score(runtimes.known()[0], flatbuffer, windows))
    parts = [slice(0, len(fitting)), slice(len(fitting), -len(made)), slice(-len(made), None)]
    wanted = gate.logit(source.info.threshold) * source.info.temperature
    scale = logit_scale(flatbuffer)
    fitted = gate.refit(floating[parts[0]], logits[parts[0]], wanted)
    thresholds = wanted, fitted if scale is None else scale.between(fitted)
    return {
        "mode": mode,
        "spectrogram": source.info.spectrogram.to_json(),
        "kib": len(flatbuffer) / 1024,
        "arena_kib": arena_bytes(flatbuffer) / 1024,
        "convert_s": seconds,
        "convert_peak_gib": peak,
        "too_new_for_214": too_new(operators(flatbuffer)),
        "runtimes": times,
        "real": compared(floating[parts[1]], logits[parts[1]], real_labels, thresholds, source),
        "simulated": compared(floating[parts[2]], logits[parts[2]], made_labels, thresholds, source),
    }


def recorded(source: Source, count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return real windows as heard: all held-out ones, then training windows up to `count`; and their labels.

    What the factory run holds beside recordings is left out, and so are recordings that are in both of its sets.
    """
    kept, more = source.heldout, source.calibration
    some = np.random.default_rng(1).permutation(_recordings(kept, set()))[:count]
    rest = np.random.default_rng(1).permutation(_recordings(more, set(kept.files)))[: max(0, count - len(some))]
    codes = np.concatenate([kept.codes[some], more.codes[rest]])
    return codes, np.concatenate([kept.labels[some], more.labels[rest]])


def _recordings(examples: Examples, known: set[str]) -> NDArray[np.intp]:
    made = ("simulated-", "background-")
    return np.flatnonzero([not name.startswith(made) and name not in known for name in examples.files])


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
    before, after = auc(floating, labels), auc(logits, labels)
    return {
        "windows": len(labels),
        "auc_float": before,
        "auc_change": after - before,
        "agreement": verdict.agreement,
        "flips": verdict.flips,
        "probability": verdict.probability,
        "logit_spread": float(np.std(floating)),
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


if __name__ == "__main__":
    sys.exit(main())
