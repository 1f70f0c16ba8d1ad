"""Runs a model on the supported runtimes, each in its own process."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakear.convert.quantising.quantise import Codes
from leakear.edge.errors import LeakearError, ModelError

WORKER = Path(__file__).with_name("worker.py")
TIME_LIMIT_S = 1800


@dataclass(frozen=True)
class Runtime:
    """A TFLite runtime and the Python that holds it."""

    package: str
    """its name on the package index"""
    role: str
    """"newest", "oldest" (of ai-edge-litert, as promised) or "legacy\""""
    python: Path
    variable: str = ""
    """environment variable that names another Python"""

    @property
    def present(self) -> bool:
        """Whether that Python is installed."""
        return self.python.is_file()

    @property
    def absent_reason(self) -> str:
        """How to install the runtime."""
        return f"not installed here; to check it, set {self.variable} to a Python that holds {self.package}"


def known(environment: "os._Environ[str] | dict[str, str]" = os.environ) -> tuple[Runtime, ...]:
    """Return the supported runtimes: the pinned newest LiteRT, the oldest one, tflite-runtime 2.14."""
    oldest, legacy = "LEAKEAR_OLDEST_LITERT_PYTHON", "LEAKEAR_LEGACY_PYTHON"
    return (
        Runtime("ai-edge-litert", "newest", Path(sys.executable)),
        Runtime("ai-edge-litert", "oldest", Path(environment.get(oldest, ".venv/litert-oldest/bin/python")), oldest),
        Runtime("tflite-runtime", "legacy", Path(environment.get(legacy, ".venv/legacy/bin/python")), legacy),
    )


@dataclass(frozen=True)
class Outcome:
    """The results of a flatbuffer on a runtime."""

    runtime: Runtime
    version: str
    logits: NDArray[np.float64] | None
    """shape (n,); None when it did not load"""
    error: str
    """empty when it loaded"""
    milliseconds: float | None = None
    """one inference, one thread, median"""
    resident_mb: float = 0.0
    """of the whole process after all windows: Python, numpy, runtime, model"""

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.runtime.package} {self.version}".strip()


def score(runtime: Runtime, flatbuffer: bytes, windows: Codes, repeats: int = 0) -> Outcome:
    """Run a flatbuffer over windows, shape (n, rows, frames), in a fresh process of that runtime.

    `repeats`: timed runs. Raises LeakearError where there is no room for the windows on the disk.
    """
    if not runtime.present:
        return Outcome(runtime, "", None, runtime.absent_reason)
    with tempfile.TemporaryDirectory(prefix="leakear-") as folder:
        model, inputs = Path(folder, "model.tflite"), Path(folder, "windows.npy")
        try:
            model.write_bytes(flatbuffer)
            np.save(inputs, windows)
        except OSError as full:
            size = (len(flatbuffer) + windows.nbytes) >> 20
            raise LeakearError(
                f"{folder} cannot be written: {full.strerror or full}; set TMPDIR to a folder with {size + 1} MB free"
            ) from None
        found = _run([runtime.python, WORKER, runtime.package, model, inputs, str(repeats)])
    error = str(found.get("error", ""))
    return Outcome(
        runtime,
        str(found.get("version", "")),
        None if error else np.asarray(found["logits"], np.float64),
        error,
        found.get("milliseconds"),
        float(found.get("resident_mb", 0)),
    )


def _run(command: Sequence[str | Path]) -> dict[str, Any]:
    """Return the worker's JSON; a crash becomes its `error`."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            [str(word) for word in command],
            capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False, env=environment,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {TIME_LIMIT_S} s"}
    except OSError as error:
        return {"error": f"cannot start {command[0]}: {error.strerror}"}
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        tail = (done.stderr.strip().splitlines() or [""])[-1]
        return {"error": f"the runtime's process ended with status {done.returncode}: {tail[:200]}"}
    assert isinstance(found, dict)
    return found


def require(outcome: Outcome) -> NDArray[np.float64]:
    """Return the logits, shape (n,). Raises ModelError when the runtime did not load the model."""
    if outcome.logits is None:
        raise ModelError(f"{outcome.runtime.package} {outcome.version} does not run the model: {outcome.error}")
    return outcome.logits
