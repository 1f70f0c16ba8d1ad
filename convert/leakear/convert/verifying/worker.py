"""Runs a flatbuffer on one runtime and prints the results as JSON.

Started by path as a program of its own, under whichever Python holds the runtime: two runtimes in one process disturb
each other, and tflite-runtime 2.14 wants numpy 1. So it needs nothing but numpy and that runtime, not even leakear.

    python worker.py RUNTIME MODEL.tflite WINDOWS.npy [REPEATS]

WINDOWS.npy: uint8 (n, rows, frames), the network's input being code / 255. REPEATS: timed runs of the first window.
"""

import importlib
import json
import resource
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

TIMED_S = 20.0
"""seconds after which no further run is timed: one run of a large network in 16x8 takes nearly a minute"""
MODULES = {"ai-edge-litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}


def main(arguments: list[str]) -> int:
    """Print one JSON object; it has the key "error" when the runtime or the model does not load."""
    runtime, model, windows, *rest = arguments
    report: dict[str, Any] = {"runtime": runtime}
    try:
        report |= {"version": version(runtime), "numpy": np.__version__}
        report |= run(MODULES[runtime], model, windows, int(rest[0]) if rest else 0)
    except Exception as error:  # noqa: BLE001  (runtimes raise any exception; the caller handles it)
        report["error"] = " ".join(f"{type(error).__name__}: {error}".split())[:400]
    print(json.dumps(report))
    return 0


def run(module: str, model: str, windows: str, repeats: int) -> dict[str, Any]:
    """Score every window on one thread, then time `repeats` runs."""
    interpreter = importlib.import_module(module).Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def logit(codes: "np.ndarray[Any, Any]") -> float:
        interpreter.set_tensor(source["index"], as_input(codes, source))
        interpreter.invoke()
        raw, (scale, zero) = interpreter.get_tensor(target["index"]).reshape(-1)[0], target["quantization"]
        return float((float(raw) - zero) * scale) if scale else float(raw)

    logits = [
        logit(codes) for codes in np.load(windows, mmap_mode="r")
    ]  # unmapped again, so that it does not count as the model's memory
    times = list(timed(interpreter, repeats))
    return {
        "logits": logits,
        "input": np.dtype(source["dtype"]).name,
        "milliseconds": sorted(times)[len(times) // 2] if times else None,
        "resident_mb": resident_mb(),
    }


def as_input(codes: "np.ndarray[Any, Any]", tensor: dict[str, Any]) -> "np.ndarray[Any, Any]":
    """Bring one window, shape (rows, frames), to the input tensor's type and shape."""
    unit = codes[None, ..., None].astype(np.float32) / np.float32(255)
    if tensor["dtype"] == np.float32:
        return unit
    (scale, zero), limits = tensor["quantization"], np.iinfo(tensor["dtype"])
    clipped: np.ndarray[Any, Any] = np.clip(np.rint(unit / scale) + zero, limits.min, limits.max)
    return clipped.astype(tensor["dtype"])


def timed(interpreter: Any, repeats: int) -> Iterator[float]:
    """Yield the milliseconds of so many runs; of fewer where they are slow."""
    began = time.perf_counter()
    for _ in range(repeats):
        start = time.perf_counter()
        interpreter.invoke()
        yield (time.perf_counter() - start) * 1000
        if time.perf_counter() - began > TIMED_S:
            return


def resident_mb() -> float:
    """Resident memory of this process now, MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
