"""The report of a conversion, as text and as JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leakear.convert.convert import Conversion, apart
from leakear.convert.progress import stage
from leakear.convert.quantising import sqnr
from leakear.convert.quantising.quantise import MODES, quantise
from leakear.convert.verifying.gate import Verdict
from leakear.convert.verifying.runtimes import Outcome
from leakear.train.evaluation import comparison
from leakear.train.runfolder import judged


def as_json(conversion: Conversion) -> dict[str, Any]:
    """Return the report as one JSON object."""
    info = conversion.info
    return {
        "model": info["model"],
        "mode": info["conversion"]["mode"],
        "bytes": len(conversion.file),
        "arena_bytes": info["flatbuffer"]["arena_bytes"],
        "operators": info["flatbuffer"]["ops"],
        "threshold": info["decision"]["threshold"],
        "gate": conversion.verdict.to_json(),
        "shortfalls": conversion.shortfalls,
        "runtimes": [_runtime(conversion, outcome) for outcome in conversion.outcomes],
        "calibration": conversion.calibration.to_json(),
        "judged": judged(info["metrics"]["training"]),
        "comparison": info["metrics"]["training"].get("comparison"),
    }


def _runtime(conversion: Conversion, outcome: Outcome) -> dict[str, Any]:
    return {
        "package": outcome.runtime.package,
        "role": outcome.runtime.role,
        "version": outcome.version,
        "loads": None if not outcome.runtime.present else outcome.logits is not None,
        "error": outcome.error,
        "decides_otherwise": apart(conversion, outcome),
        "milliseconds": outcome.milliseconds,
        "resident_mb": outcome.resident_mb,
    }


def save(conversion: Conversion, network: Any, folder: Path) -> None:
    """Write report.json, report.txt and, for integer modes, layers.png; name the layers that lose most."""
    folder.mkdir(parents=True, exist_ok=True)
    said, text = as_json(conversion), as_text(conversion)
    if MODES[said["mode"]].calibrated:
        with stage("layer by layer"):
            found = sqnr.layers(quantise(network, "float32"), conversion.flatbuffer, conversion.calibration.codes)
        sqnr.draw(found, folder / "layers.png", f"{said['model']['id']}, {said['mode']}")
        said["layers"] = [asdict(layer) for layer in found]
        text += "".join(f"\n  under 20 dB: {x.name} ({x.operator}) {x.sqnr_db:.1f} dB" for x in sqnr.poor(found))
    (folder / "report.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    (folder / "report.txt").write_text(text + "\n", encoding="utf-8")


def as_text(conversion: Conversion) -> str:
    """Return the report for people."""
    said, verdict = as_json(conversion), conversion.verdict
    size = f"{said['bytes'] / 1024:.1f} KiB, activations {said['arena_bytes'] / 1024:.1f} KiB"
    apart = (
        f"decided alike {100 * verdict.agreement:.2f} % ({verdict.flips} differ), worst |Δp| {verdict.probability:.3f}"
    )
    lines = [
        f"{said['model']['id']}: {said['mode']}, {size}, calibration set {said['calibration']['seed']}",
        f"float against {said['mode']} on {verdict.windows} windows, altered ones among them:",
        f"  {apart}, loss of AUC {verdict.auc_drop:.4f}",
        f"  AUC on {_ranked(conversion)} {verdict.auc_float:.4f} → {verdict.auc:.4f}",
        f"  threshold on P(leak) {conversion.info['training']['threshold']:.4f} → {said['threshold']:.4f}",
        *_alerts(verdict),
        "runtimes, one process each:",
        *(_runtime_line(conversion, outcome) for outcome in conversion.outcomes),
        *(
            ["", "held-out recordings, before conversion:", comparison.text(said["comparison"])]
            if said["comparison"]
            else []
        ),
    ]
    return "\n".join(lines)


def _ranked(conversion: Conversion) -> str:
    """Name the windows of the AUCs: those that the run kept, equally many of each class; `fit` counts all."""
    trained = conversion.info["metrics"]["training"]
    kept, there = conversion.verdict.heldout, trained.get("windows", {}).get("count", 0)
    if there <= kept:
        return f"{kept} {judged(trained)} windows"
    return f"{kept} of the {there} {judged(trained)} windows, equally many of each class,"


def _alerts(verdict: Verdict) -> list[str]:
    if not verdict.node_days:
        return []
    over = f"{verdict.node_days:g} simulated node-days, a window every {verdict.node_day_step_s:g} s"
    if verdict.event_agreement is None:
        return [f"  {over}: neither raised an alert, which compares nothing; more --nodedays hold more leaks"]
    counts = f"{verdict.alerts_float} alerts by float, {verdict.alerts} by the converted one"
    false = f"of them without a leak (false): {verdict.false_alerts_float} and {verdict.false_alerts}"
    return [f"  {over}: {counts}, raised by both: {100 * verdict.event_agreement:.1f} %; {false}"]


def _runtime_line(conversion: Conversion, outcome: Outcome) -> str:
    if not outcome.runtime.present:
        return f"  {outcome.runtime.package} ({outcome.runtime.role}): not checked, {outcome.error}"
    if outcome.error:
        return f"  {outcome.title}: NO: {outcome.error}"
    alike = f"{apart(conversion, outcome)} windows decided otherwise"
    cost = f"{outcome.milliseconds:.2f} ms a window, {outcome.resident_mb:.0f} MB resident"
    return f"  {outcome.title}: loads, golden vector comes out, {alike}, {cost}"
