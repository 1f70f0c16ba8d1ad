"""What `leakear-edge check` looks at: one function a subject, each giving findings with a remedy.

What heals by itself (a full disk that the daemon empties, a clock that is not synchronised yet) is a warning, never a
fault: a preflight check must not block its own remedy.
"""

import errno
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho

from leakear.edge import files
from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import Capture
from leakear.edge.audio.microphone import Source, choose, running_rates
from leakear.edge.clock import Clock
from leakear.edge.errors import ConfigError, LeakearError
from leakear.edge.health.monitor import FAULTS, HealthMonitor
from leakear.edge.model.tflite import Model
from leakear.edge.mqtt.connection import Connection, Wake, Will
from leakear.edge.mqtt.inbox import Inbox, Opened
from leakear.edge.mqtt.options import MqttOptions
from leakear.edge.settings import Settings
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.windows import Window

OK, WARNING, FAULT = "ok", "warning", "fault"
QUIET_DBFS = -85.0
"""Level below which a sensor may not touch anything."""
LOW_DISK_MB = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: str
    """ok, warning or fault"""
    detail: str
    """what was seen"""
    remedy: str = ""
    """what to do about it"""


def model(settings: Settings) -> tuple[Finding, Model | None]:
    """Load the model: hash, signature, runtime and golden vector."""
    try:
        loaded = Model.configured(settings.model)
    except LeakearError as error:
        return Finding("model", FAULT, str(error), "name another file in [model] path"), None
    return Finding("model", OK, f"{loaded.info.model_id} computes its golden vector"), loaded


def sound(settings: Settings, spec: SpectrogramSpec, source: Source, seconds: float) -> Iterator[Finding]:
    """Find the device, listen to it, and judge what it delivers."""
    try:
        device = choose(source.devices(), settings.audio.device)
    except LeakearError as error:
        yield Finding("device", FAULT, str(error), "look at `leakear-edge devices`, then set [audio] device")
        return
    others = [other for other in source.devices() if not other.server and other.name != device.name]
    if others and not settings.audio.device:
        remedy = f"name it in [audio] device: after a restart without it {others[0].name!r} might be heard instead"
        yield Finding("device", WARNING, f"{device.name}, chosen by nobody", remedy)
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
    detail = f"{native} Hz delivered, {spec.sample_rate} Hz judged{running}"
    if native < spec.sample_rate:
        top = spec.band_hz[1] if spec.band_hz else spec.sample_rate / 2
        if native / 2 < top:
            return Finding("rate", WARNING, detail, f"the model listens up to {top:g} Hz: use a faster device")
    if server and not running:
        return Finding("rate", OK, f"{detail}; a sound server stands between and resamples unseen")
    return Finding("rate", OK, detail)


def _level(
    settings: Settings, spec: SpectrogramSpec, samples: "np.ndarray[tuple[int], np.dtype[np.float32]]"
) -> Iterator[Finding]:
    health = HealthMonitor(settings.health, spec).check(Window(0, 0, samples, time.time(), 0.0, None))
    for fault in health.faults:
        yield Finding("sound", FAULT, fault, FAULTS[fault])
    filled = round(30 * min(1.0, max(0.0, (health.level_dbfs + 90) / 90)))
    detail = f"{health.level_dbfs:.1f} dBFS [{'#' * filled:30}]"
    if not health.faults and health.level_dbfs < QUIET_DBFS:
        yield Finding("level", WARNING, detail, "very quiet: raise the gain, or press the sensor to the pipe")
    else:
        yield Finding("level", OK, detail)


def broker(settings: Settings, timeout_s: float = 10.0) -> Finding:
    """Connect as a stranger beside the daemon, whose client id and messages stay untouched."""
    options = replace(settings.mqtt, session_expiry_s=0)
    where = f"{options.host}:{options.effective_port}"
    try:
        answer = _connect(options, settings, paho.MQTTv311 if options.protocol == "3.1.1" else paho.MQTTv5, timeout_s)
        if answer.downgrade:
            answer = _connect(options, settings, paho.MQTTv311, timeout_s)
    except ConfigError as error:
        return Finding("broker", FAULT, str(error), "correct [mqtt]")
    if answer.refusal is not None:
        return Finding("broker", FAULT, answer.refusal.sentence, "correct [mqtt], or the broker's rights")
    if not answer.accepted:
        remedy = "is it running, is the address right? Events wait in the outbox meanwhile"
        return Finding("broker", WARNING, f"{where} does not answer", remedy)
    return Finding(
        "broker", OK, f"{where} accepts this node, MQTT {'5' if answer.protocol == paho.MQTTv5 else '3.1.1'}"
    )


class _Probe(Connection):
    """A connection that ends as soon as it is accepted."""

    accepted = False


def _connect(options: MqttOptions, settings: Settings, protocol: int, timeout_s: float) -> _Probe:
    identity = settings.node.identity
    inbox, wake = Inbox(options.max_payload), Wake()
    will = Will(identity.topic("check"), b"")
    probe = _Probe(options, f"leakear-check-{os.getpid()}", will, inbox, wake, protocol)
    thread = threading.Thread(target=probe.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + timeout_s
    while thread.is_alive() and not probe.accepted and time.monotonic() < deadline:
        inbox.arrived.wait(0.1)
        probe.accepted = any(isinstance(notice, Opened) for notice in inbox.take())
    probe.leave() if probe.accepted else probe.cut()
    thread.join(2)
    return probe


def clock() -> Finding:
    """Tell whether events will carry the right time."""
    if Clock().synced:
        return Finding("clock", OK, "synchronised")
    remedy = "events are ordered by seq and marked clock_synced: false until time synchronisation works"
    return Finding("clock", WARNING, "not synchronised", remedy)


def disk(settings: Settings) -> Iterator[Finding]:
    """Look at the state folder: room and rights."""
    directory = settings.node.directory
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    free_mb = shutil.disk_usage(existing).free / 1e6
    if free_mb < LOW_DISK_MB:
        yield Finding("disk", WARNING, f"{free_mb:.0f} MB free at {existing}", "evidence is dropped first; make room")
    else:
        yield Finding("disk", OK, f"{free_mb / 1e3:.1f} GB free at {existing}")
    if (error := files.refusal(directory)) is None or error.errno == errno.ENOSPC:
        yield Finding("permissions", OK, f"{directory} can be written")
    else:
        yield Finding(
            "permissions",
            FAULT,
            f"{directory} cannot be written: {error.strerror}",
            "set [node] state_dir, or its owner",
        )
    devices = Path("/dev/snd")
    if devices.is_dir() and not any(os.access(path, os.R_OK) for path in devices.glob("pcm*c")):
        yield Finding("permissions", FAULT, "/dev/snd cannot be read", "add the user to the group audio")
