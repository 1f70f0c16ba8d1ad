"""`leakear-edge bench`: time and memory of a window on this machine, and the recommended step."""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from leakear.edge.audio.resample import Resampler
from leakear.edge.background.third_octaves import quiet_levels
from leakear.edge.command_line import ProgressLine, whole
from leakear.edge.health.measures import measure
from leakear.edge.health.monitor import HealthMonitor, HealthOptions
from leakear.edge.model.macs import macs
from leakear.edge.model.tflite import FACTORY, RUNTIMES, Model
from leakear.edge.node.sleep import traffic
from leakear.edge.node.status import rss_bytes
from leakear.edge.schedule import Schedule, ScheduleOptions
from leakear.edge.spectrogram import IncrementalSpectrogram, spectrogram
from leakear.edge.spectrogram.short_spectra import short_powers
from leakear.edge.windows import step_samples

HELP = """\
Measure each stage of a window on this machine: milliseconds, memory, MACs, real-time factor, recommended step.

  leakear-edge bench
  leakear-edge bench --model my.tflite --json

  leakear-edge bench --listen 02:00-04:00        a node with these listening hours ([schedule])

Also printed: seconds a day that a node with these hours is awake, and bytes a day that it sends over MQTT while nothing
happens (state and telemetry every minute, one night; packets without TCP and TLS).
Times are of one thread and of this machine at this moment; compare ratios, not times.
"""

LOAD = 0.25
"""Share of one core that judging may take at the recommended step: the rest is for the system and later versions."""
STEPS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
PI_ZERO_2W = 20.0
"""How many times longer one core of a Pi Zero 2 W (Cortex-A53, 1 GHz) is taken to need than a current x86-64 core.
An assumption from published single-core figures, not a measurement of this project."""
_NATIVE_RATE = 48000


@dataclass(frozen=True, slots=True)
class Stage:
    """Time of one stage over many runs, milliseconds."""

    median_ms: float
    p10_ms: float
    p90_ms: float


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured."""

    machine: str
    model: str
    macs: int | None
    """multiplications of one score"""
    stages: dict[str, Stage]
    rss_bytes: int | None
    """resident memory of this process, one model loaded"""
    window_ms: float
    """sum of the medians of resampling, short spectra, health, third octaves, whole spectrogram and score"""
    real_time_factor: float
    """share of one core at windows that do not overlap"""
    nodes: int
    """how many such nodes this machine could run"""
    step_s: float
    """shortest recommended step between overlapping windows here"""
    pi_zero_2w_step_s: float
    """the same, estimated for a Pi Zero 2 W"""
    awake_s_a_day: float
    """seconds of a day in which it listens"""
    mqtt_bytes_a_day: int
    """bytes that it publishes in a day without alerts"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", type=Path, default=FACTORY, help="model file (the factory model)")
    parser.add_argument("--runtime", choices=("auto", *RUNTIMES), default="auto", help="TFLite runtime (auto)")
    parser.add_argument("--repeat", type=whole(3), default=30, help="runs of each stage (30)")
    parser.add_argument("--listen", action="append", default=[], metavar="HH:MM-HH:MM", help="listening hours (always)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(args: argparse.Namespace) -> int:
    """Measure and print."""
    model = Model.load(args.model, args.runtime)
    schedule = ScheduleOptions(listen=tuple(args.listen)).schedule(None)
    costs = measure_costs(model, args.repeat, schedule)
    print(json.dumps(asdict(costs)) if args.json else text(costs))
    return 0


def measure_costs(model: Model, repeat: int, schedule: Schedule) -> Costs:
    """Time every stage of a window on noise."""
    spec = model.info.spec
    rng = np.random.default_rng(0)
    native = (rng.standard_normal(round(_NATIVE_RATE * spec.window_seconds)) * 0.05).astype(np.float32)
    samples = (rng.standard_normal(spec.window_samples) * 0.05).astype(np.float32)
    powers = short_powers(samples, spec)
    monitor = HealthMonitor(HealthOptions(), spec)
    incremental = IncrementalSpectrogram(spec)
    decibels = incremental.update(samples, None)
    second = step_samples(spec, 1.0)
    stages: dict[str, Callable[[], Any]] = {
        "resample from 48 kHz": lambda: Resampler(_NATIVE_RATE, spec.sample_rate).push(native, last=True),
        "short spectra": lambda: short_powers(samples, spec),
        "health": lambda: monitor.check(measure(samples, powers, spec), 0.0),
        "third octaves": lambda: quiet_levels(powers, spec),
        "spectrogram, whole": lambda: spectrogram(samples, spec),
        "spectrogram, 1 s further": lambda: incremental.update(samples, second),
        "score": lambda: model.score(decibels),
    }
    timed, line = {}, ProgressLine("bench", len(stages))
    for number, (name, stage) in enumerate(stages.items(), 1):
        timed[name] = timing(stage, repeat)
        line.update(number)
    line.end()
    whole = sum(timed[name].median_ms for name in timed if name != "spectrogram, 1 s further")
    step = sum(timed[name].median_ms for name in timed if name != "spectrogram, whole")
    factor = whole / 1e3 / spec.window_seconds
    return Costs(
        machine=f"{platform.machine()} {cpu_name()}, Python {platform.python_version()}",
        model=model.info.model_id,
        macs=macs(model),
        stages=timed,
        rss_bytes=rss_bytes(),
        window_ms=whole,
        real_time_factor=factor,
        nodes=int(LOAD * (os.cpu_count() or 1) / factor),
        step_s=recommended_step(step),
        pi_zero_2w_step_s=recommended_step(step * PI_ZERO_2W),
        awake_s_a_day=schedule.awake_s,
        mqtt_bytes_a_day=traffic.bytes_a_day(schedule),
    )


def timing(stage: Callable[[], Any], repeat: int) -> Stage:
    """Run a stage `repeat` times after one run to warm up."""
    stage()
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        stage()
        times.append((time.perf_counter() - began) * 1e3)
    tenths = statistics.quantiles(times, n=10, method="inclusive")
    return Stage(statistics.median(times), tenths[0], tenths[-1])


def recommended_step(judging_ms: float) -> float:
    """Shortest of `STEPS_S` at which judging takes at most `LOAD` of one core."""
    return next((step for step in STEPS_S if judging_ms / 1e3 <= LOAD * step), STEPS_S[-1])


def text(costs: Costs) -> str:
    """Write the figures for people."""
    lines = [f"{costs.machine}; model {costs.model}", ""]
    for name, stage in costs.stages.items():
        lines.append(f"{name:26} {stage.median_ms:8.2f} ms   ({stage.p10_ms:.2f} to {stage.p90_ms:.2f})")
    lines += [
        f"{'a window, sample to score':26} {costs.window_ms:8.2f} ms",
        "",
        f"network                    {(costs.macs or 0) / 1e6:8.2f} MMAC" if costs.macs else "network  MACs unknown",
        f"resident memory            {(costs.rss_bytes or 0) / 1e6:8.1f} MB",
        f"real-time factor           {costs.real_time_factor:8.5f}",
        f"this machine could run {costs.nodes} such nodes on {LOAD:.0%} of its cores",
        f"awake {costs.awake_s_a_day:.0f} s a day; {costs.mqtt_bytes_a_day} bytes a day over MQTT without alerts",
        f"recommended step: {costs.step_s:g} s here; {costs.pi_zero_2w_step_s:g} s on a Pi Zero 2 W",
        f"(the latter estimated: one core {PI_ZERO_2W:g} times slower; run this command there to measure it)",
    ]
    return "\n".join(lines)


def cpu_name() -> str:
    """Name this machine's processor."""
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in info if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.processor()
