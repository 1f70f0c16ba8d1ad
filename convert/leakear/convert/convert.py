"""Converts a network: quantise, run on every runtime, compare with the float network, describe, assemble the file."""

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import numpy as np
from tqdm import tqdm

from leakear.convert.describe import describe
from leakear.convert.progress import stage
from leakear.convert.quantising import calibration as sets
from leakear.convert.quantising.calibration import Calibration
from leakear.convert.quantising.flatbuffer import LogitScale, arena_bytes, logit_scale, operators
from leakear.convert.quantising.quantise import MODES, Codes, quantise
from leakear.convert.source import Source, float_logits
from leakear.convert.verifying import alerts, gate, memory, runtimes
from leakear.convert.verifying.alerts import Days
from leakear.convert.verifying.evaluation import Divided, Windows, gather
from leakear.convert.verifying.gate import Limits, Logits, Verdict
from leakear.convert.verifying.legacy import too_new
from leakear.convert.verifying.runtimes import Outcome
from leakear.convert.verifying.verify import check_golden, check_range, check_runtimes, tolerance
from leakear.edge.errors import ModelError
from leakear.edge.model import bundle
from leakear.train.evaluation.metrics import auc


@dataclass(frozen=True)
class Options:
    """Options of a conversion."""

    mode: str = "int8"
    windows: int = 200
    """of the calibration set"""
    seed: int = 42
    """of the first calibration set"""
    tries: int = 4
    """calibration sets that are tried while a limit is missed"""
    name: str = ""
    """of the model; empty: the run's"""
    repeats: int = 30
    """timed inferences"""
    limits: Limits = field(default_factory=Limits)
    golden_span: float = 4.0
    """smallest range of the golden logits, in multiples of the tolerance between runtimes"""
    per_channel_dense: bool = False
    """dynamic mode with one scale per channel, TensorFlow's default; tflite-runtime 2.14 cannot load it"""
    legacy: bool = True
    """require that tflite-runtime 2.14 runs it"""
    memory: bool = True
    """refuse a conversion that needs more than the free memory"""


@dataclass(frozen=True)
class Conversion:
    """A converted network and its measurements, before the limits are applied."""

    flatbuffer: bytes
    golden_inputs: Codes
    golden_logits: Logits
    info: dict[str, Any]
    """its leakear.json"""
    verdict: Verdict
    outcomes: tuple[Outcome, ...]
    calibration: Calibration
    limits: Limits

    @property
    def file(self) -> bytes:
        """The whole model file."""
        return bundle.assemble(self.flatbuffer, self.info, self.golden_inputs, self.golden_logits.astype(np.float32))

    @property
    def shortfalls(self) -> list[str]:
        """The limits that are missed."""
        return gate.shortfalls(self.verdict, self.limits)


SMALL = 5_000_000
"""parameters up to which several calibration sets are tried"""


def apart(conversion: Conversion, outcome: Outcome) -> int | None:
    """Return how many windows a runtime decides differently from the newest one; None when it did not run."""
    newest = conversion.outcomes[0].logits
    if outcome.logits is None or newest is None:
        return None
    threshold = gate.logit(conversion.info["decision"]["threshold"]) * conversion.info["temperature"]
    return int(((outcome.logits >= threshold) != (newest >= threshold)).sum())


def convert(source: Source, options: Options) -> Conversion:
    """Convert with one calibration set after the other until the limits hold; return the last or the best.

    A few decisions near the threshold depend on the calibration set. Raises ModelError when the result cannot work at
    all; missed limits are only listed.
    """
    tries = options.tries if MODES[options.mode].calibrated and source.network.count_params() <= SMALL else 1
    if options.memory:
        memory.check(source.network, options.mode)
    made: list[Conversion] = []
    for seed in range(options.seed, options.seed + tries):
        made.append(attempt(source, replace(options, seed=seed)))
        if not made[-1].shortfalls:
            return made[-1]
    return max(made, key=lambda conversion: (-len(conversion.shortfalls), conversion.verdict.agreement))


def attempt(source: Source, options: Options) -> Conversion:
    """Convert with one calibration set, and measure the result."""
    chosen = choose_calibration(source, options)
    windows = gather(source, chosen)
    with stage(f"float network over {len(windows.all)} windows"):
        floating = float_logits(source.network, windows.all)
    gate.check_order(auc(windows.divide(floating).calibration, chosen.labels), source.info.name)
    with stage(f"{options.mode} conversion with {len(chosen.codes)} calibration windows"):
        flatbuffer = quantise(source.network, options.mode, chosen.codes, per_channel_dense=options.per_channel_dense)
    return measure(source, options, flatbuffer, chosen, windows, floating)


def choose_calibration(source: Source, options: Options) -> Calibration:
    """Choose the representative set among the training windows."""
    examples = source.calibration
    sites = [source.site_of(file) for file in examples.files]
    return sets.choose(
        examples.codes, examples.labels, sites, source.info.spectrogram, count=options.windows, seed=options.seed
    )


def measure(
    source: Source, options: Options, flatbuffer: bytes, chosen: Calibration, windows: Windows, floating: Logits
) -> Conversion:
    """Run a flatbuffer on every runtime and compare it with the float network."""
    newest, *others = runtimes.known()
    with stage("newest runtime"):
        outcome = runtimes.score(newest, flatbuffer, windows.all, options.repeats)
    quantised = runtimes.require(outcome)
    scale = logit_scale(flatbuffer)
    ours, theirs = windows.divide(quantised), windows.divide(floating)
    check_range(scale, theirs.calibration, source.info.name)
    thresholds = _thresholds(source, theirs.trained, ours.trained, scale)
    verdict = _judge(source, windows, theirs, ours, thresholds)
    with stage("other runtimes"):
        left = tqdm(others, "runtimes", unit="runtime", leave=False, disable=None)
        rest = [runtimes.score(runtime, flatbuffer, windows.all, options.repeats) for runtime in left]
    allowed = tolerance(scale, theirs.calibration, [outcome, *rest])
    check_golden(ours.golden, allowed, options.golden_span, source.info.name)
    outcomes = check_runtimes([outcome, *rest], ours.golden, allowed)
    info = describe(
        source, MODES[options.mode], options.name, sha256(flatbuffer).hexdigest(), chosen, verdict, outcomes
    )
    info["decision"] |= {"threshold": float(gate.probability(thresholds[1] / source.info.temperature))}
    info["golden"] = {"tolerance": allowed, "windows": len(windows.golden)}
    info["flatbuffer"] = {"ops": operators(flatbuffer), "arena_bytes": arena_bytes(flatbuffer)}
    return Conversion(flatbuffer, windows.golden, ours.golden, info, verdict, outcomes, chosen, options.limits)


def with_alerts(conversion: Conversion, source: Source, days: Days) -> Conversion:
    """Compare the alerts of float and converted network over simulated node-days; add the result to the description."""
    with stage(f"{days.count} simulated node-days of {days.hours:g} h, a window every {days.step_s:g} s"):
        raised = alerts.compare(source, conversion.file, days)
    verdict = replace(
        conversion.verdict,
        event_agreement=raised.agreement,
        node_days=days.count * days.hours / 24,
        node_day_step_s=days.step_s,
        alerts_float=raised.floating,
        alerts=raised.converted,
        false_alerts_float=raised.false_floating,
        false_alerts=raised.false_converted,
    )
    metrics = {**conversion.info["metrics"], "conversion": verdict.to_json()}
    return replace(conversion, verdict=verdict, info={**conversion.info, "metrics": metrics})


def refuse(conversion: Conversion, *, legacy: bool = True) -> None:
    """Raise ModelError when a limit is missed or a promised runtime does not run the network."""
    faults = list(conversion.shortfalls)
    if legacy and (unknown := too_new(conversion.info["flatbuffer"]["ops"])):
        faults.append(
            f"tflite-runtime 2.14 cannot load {', '.join(unknown)}; try --mode int8, leave --per-channel-dense off, or "
            "promise newer runtimes only with --no-legacy"
        )
    for outcome in conversion.outcomes:
        promised = outcome.runtime.present and (legacy or outcome.runtime.role != "legacy")
        if promised and outcome.error and not (faults and outcome.runtime.role == "legacy"):
            faults.append(f"{outcome.title} does not run it: {outcome.error}; try another --mode")
        elif promised and outcome.logits is not None and not outcome.error:
            share = 1 - (apart(conversion, outcome) or 0) / len(outcome.logits)
            if share < conversion.limits.agreement:
                faults.append(f"{outcome.title} decides only {share:.4f} of all windows as the newest runtime does")
    if faults:
        raise ModelError(f"refused, no file written: {'; '.join(faults)}")


def _judge(
    source: Source, windows: Windows, floating: Divided, quantised: Divided, thresholds: tuple[float, float]
) -> Verdict:
    """Compare decisions and ranking on all windows; the reported AUCs are of held-out windows only."""
    verdict = gate.judge(floating.judged, quantised.judged, thresholds, source.info.temperature)
    labels = source.heldout.labels
    return replace(
        verdict,
        heldout=len(labels),
        auc_float=auc(floating.heldout, labels),
        auc=auc(quantised.heldout, labels),
        auc_drop=_auc_drop(source, windows, floating, quantised),
    )


def _auc_drop(source: Source, windows: Windows, floating: Divided, quantised: Divided) -> float:
    labels = np.concatenate([windows.known_labels, source.heldout.labels, windows.altered_labels])
    return max(0.0, auc(floating.judged, labels) - auc(quantised.judged, labels))


def _thresholds(source: Source, floating: Logits, quantised: Logits, scale: LogitScale | None) -> tuple[float, float]:
    """Return the logit thresholds of the float and of the quantised network, the latter fitted to the former."""
    wanted = gate.logit(source.info.threshold) * source.info.temperature
    fitted = gate.refit(floating, quantised, wanted)
    return wanted, fitted if scale is None else scale.between(fitted)
