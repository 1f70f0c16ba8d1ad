"""What `leakear-edge check` looks at beside `node.checks`: the sound, giving findings with a remedy."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import Capture
from leakear.edge.audio.microphone import Source, choose, running_rates
from leakear.edge.cli.onsite import daemon
from leakear.edge.errors import LeakearError
from leakear.edge.health.measures import measure
from leakear.edge.health.monitor import FAULTS, HealthMonitor
from leakear.edge.messages.results import SelftestResult
from leakear.edge.node.checks import FAULT, OK, WARNING, Finding
from leakear.edge.settings import Settings
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram.short_spectra import short_powers

QUIET_DBFS = -85.0
"""Level below which a sensor may not touch anything."""


def sound(settings: Settings, spec: SpectrogramSpec, source: Source, seconds: float) -> Iterator[Finding]:
    """Check the device, its rate, its channels and its level."""
    try:
        device = choose(source.devices(), settings.audio.device)
    except LeakearError as error:
        yield Finding("device", FAULT, str(error), "look at `leakear-edge devices`, then set [audio] device")
        return
    others = [other for other in source.devices() if not other.server and other.name != device.name]
    if others and not settings.audio.device:
        remedy = f"name it in [audio] device: after a restart without it {others[0].name!r} might be used instead"
        yield Finding("device", WARNING, f"{device.name}, not named in the configuration", remedy)
    else:
        yield Finding("device", OK, device.name)
    with Capture(settings.audio, spec, source) as capture:
        heard = _listen(capture, seconds)
        running = "; hardware: " + ", ".join(running_rates()) if running_rates() else ""
        status = capture.status
    if isinstance(heard, SensorFault):
        yield Finding("sound", FAULT, heard.message, "is it plugged in, and not held by another program?")
        return
    yield _rates(status.native_rate, spec, server=status.server, running=running)
    if status.duplicated_channels:
        yield Finding("channels", OK, "all channels carry the same sound: one microphone, not two")
    if status.overruns:
        yield Finding("overruns", WARNING, f"{status.overruns} within {seconds:g} s", "is the machine too busy?")
    yield from _level(settings, spec, heard)


def heard_by_daemon(folder: Path) -> Finding:
    """Tell what the daemon whose state is in this folder hears: it holds the microphone."""
    log = "the daemon's log (of the service: journalctl -u leakear)"
    remedy = f"look at {log}" if os.geteuid() == 0 else f"look at {log}; of a service only root may ask (sudo)"
    try:
        answer = daemon.ask(folder, "selftest", {})
        found = SelftestResult.from_json(answer.result).checks if answer is not None and answer.ok else ()
    except LeakearError as error:
        return Finding("sound", WARNING, f"the daemon runs and holds the microphone ({error})", remedy)
    sensor = next((check for check in found if check.name == "sensor"), None)
    if sensor is None:
        return Finding("sound", WARNING, "the daemon runs and holds the microphone, and gives no answer", remedy)
    names = sensor.detail.split(", ")
    advice = (
        "; ".join(FAULTS[name] for name in names if name in FAULTS)
        or f"look at `leakear-edge devices`, plug, cable and {log}"
    )
    detail = f"{sensor.detail}, says the daemon, which holds the microphone"
    return Finding("sound", OK, detail) if sensor.ok else Finding("sound", FAULT, detail, advice)


def _listen(capture: Capture, seconds: float) -> "np.ndarray[tuple[int], np.dtype[np.float32]] | SensorFault":
    """Return some seconds of sound, or the first fault."""
    blocks: list[Block] = []
    wanted = seconds * capture.model_rate
    for item in capture:
        if isinstance(item, SensorFault):
            return item
        blocks.append(item)
        if sum(len(block.samples) for block in blocks) >= wanted:
            break
    return np.concatenate([block.samples for block in blocks])


def _rates(native: int, spec: SpectrogramSpec, *, server: bool, running: str) -> Finding:
    detail = f"{native} Hz delivered, the model uses {spec.sample_rate} Hz{running}"
    if native < spec.sample_rate:
        top = spec.band_hz[1] if spec.band_hz else spec.sample_rate / 2
        if native / 2 < top:
            return Finding(
                "rate",
                WARNING,
                detail,
                f"the model needs frequencies up to {top:g} Hz: use a device with a higher rate",
            )
    if server and not running:
        return Finding("rate", OK, f"{detail}; a sound server resamples it")
    return Finding("rate", OK, detail)


def _level(
    settings: Settings, spec: SpectrogramSpec, samples: "np.ndarray[tuple[int], np.dtype[np.float32]]"
) -> Iterator[Finding]:
    measures = measure(samples, short_powers(samples, spec), spec)
    health = HealthMonitor(settings.health, spec).check(measures, time.time())
    for fault in health.faults:
        yield Finding("sound", FAULT, fault, FAULTS[fault])
    filled = round(30 * min(1.0, max(0.0, (health.level_dbfs + 90) / 90)))
    detail = f"{health.level_dbfs:.1f} dBFS [{'#' * filled:30}]"
    if not health.faults and health.level_dbfs < QUIET_DBFS:
        yield Finding("level", WARNING, detail, "very quiet: raise the gain, or press the sensor to the pipe")
    else:
        yield Finding("level", OK, detail)


def sound_devices() -> Finding | None:
    """Return a fault when this user may not use the sound devices, else None."""
    devices = Path("/dev/snd")
    if devices.is_dir() and not any(os.access(path, os.R_OK) for path in devices.glob("pcm*c")):
        return Finding("permissions", FAULT, "/dev/snd cannot be read", "add the user to the group audio")
    return None
