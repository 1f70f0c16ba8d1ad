"""Makes `leakear.json`, the description in a model file."""

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from leakear.convert.quantising.calibration import Calibration
from leakear.convert.quantising.quantise import Mode
from leakear.convert.source import Source
from leakear.convert.verifying.gate import Verdict
from leakear.convert.verifying.runtimes import Outcome
from leakear.edge import __version__
from leakear.edge.errors import ConfigError

LABELS = ["NoLeak", "Leak"]


def describe(
    source: Source,
    mode: Mode,
    name: str,
    flatbuffer_sha256: str,
    calibration: Calibration,
    verdict: Verdict,
    outcomes: Sequence[Outcome],
) -> dict[str, Any]:
    """Return the JSON object without threshold, golden vector and operators, which the caller adds."""
    info = source.info
    called = name or info.name
    return {
        "model": {
            "id": f"{called}-{flatbuffer_sha256[:8]}",
            "name": called,
            "version": __version__,
            "created": created(),
        },
        "spectrogram": info.spectrogram.to_json(),
        "labels": LABELS,
        "positive": LABELS[1],
        "output": {"kind": "logit"},
        "temperature": info.temperature,
        "decision": dict(info.decision),
        "metrics": {"training": info.metrics, "conversion": verdict.to_json()},
        "training": {
            "preset": info.preset,
            "created": info.created,
            "seed": info.seed,
            "data_sha256": info.data.get("sha256"),
            "data": info.data,
            "split": info.split,
            "threshold": info.threshold,
        },
        "conversion": {"mode": mode.name, "tensorflow": version_of("tensorflow"), "calibration": calibration.to_json()},
        "runtimes": verified(outcomes),
        "licences": list(info.licences),
        "attribution": list(info.attribution),
    }


def created() -> str:
    """Return the file's creation time, UTC: SOURCE_DATE_EPOCH when it is set, else now. Raises ConfigError."""
    said = os.environ.get("SOURCE_DATE_EPOCH") or str(int(time.time()))
    try:
        return datetime.fromtimestamp(int(said), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        raise ConfigError(f"SOURCE_DATE_EPOCH is {said!r}: give whole seconds since 1970, or unset it") from None


def verified(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the runtimes that were tried, and the oldest one that runs the network."""
    ran = [outcome for outcome in outcomes if outcome.logits is not None and not outcome.error]
    newest = ran[0].logits
    assert newest is not None
    listed = [
        {
            "package": outcome.runtime.package,
            "version": outcome.version,
            "worst_logit_difference": round(float(np.abs(outcome.logits - newest).max()), 6),
        }
        for outcome in ran
        if outcome.logits is not None
    ]
    return {"oldest": f"{listed[-1]['package']} {listed[-1]['version']}", "verified": listed}


def version_of(package: str) -> str:
    """Return the version of a package, whichever of its names it is installed under."""
    for name in (f"{package}-cpu", package):
        try:
            return version(name)
        except ImportError:
            continue
    return "unknown"
