"""Two daemons record the same seconds: real PortAudio, real sound servers with clocks of their own, a real broker."""

import base64
import hashlib
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from leakear.edge.messages.reports import utc_text, uuid7
from tests.support.broker import Broker, Subscriber
from tests.support.contract import problems
from tests.support.places import TINY
from tests.support.timed_microphones import RATE, TimedPulse, found, noise

CONFIG = """
[node]
site = "test"
name = "{name}"
state_dir = "{folder}/{name}"
telemetry_s = 1.0
[audio]
device = "pulse"
[model]
path = "{model}"
[evidence]
enabled = true
min_free_mb = 0
[commands]
allow_clip = true
burst = 1000
per_second = 100
[mqtt]
host = "127.0.0.1"
port = {port}
"""
BOUND_S = 0.0002
SOUND_S = 150.0


@dataclass
class Ear:
    """A daemon and its microphone."""

    name: str
    pulse: TimedPulse
    process: subprocess.Popen[bytes]
    log: Path


@dataclass
class Operator:
    """Asks nodes as a dashboard does."""

    broker: Broker
    seen: Subscriber
    _ids: Iterator[str] = field(default_factory=lambda: (f"ask-{number}" for number in itertools.count()))

    def ask(self, ear: Ear, command: str, answers: int = 1, **body: Any) -> list[dict[str, Any]]:
        """Ask a node and return its answers."""
        request = next(self._ids)
        self.seen.publish(f"leakear/test/{ear.name}/cmd/{command}", json.dumps({"id": request, **body}))
        topic = f"leakear/test/{ear.name}/cmd/{command}/result"

        def look() -> list[dict[str, Any]] | None:
            mine = [message for message in self.seen.on(topic) if message.json["id"] == request]
            return mine if len(mine) >= answers else None

        found_answers = self.seen.wait_for(look, f"answers of {ear.name} to {command}", 60)
        assert [text for one in found_answers for text in problems(one.topic, one.payload)] == []
        return [one.json for one in found_answers]

    def recording(self, ear: Ear, name: str) -> dict[str, Any]:
        """What a node says of a recording."""
        (answer,) = self.ask(ear, "record", action="status", recording=name)
        assert answer["ok"], (answer, ear.log.read_text())
        return dict(answer["result"]["recordings"][0])

    def kept(self, ear: Ear, name: str) -> tuple[dict[str, Any], np.ndarray]:
        """Wait for a recording; return what is known of it and its sound, shape (n,)."""
        deadline = time.monotonic() + 90
        while (about := self.recording(ear, name))["state"] != "kept":
            assert about["state"] != "failed", about
            assert time.monotonic() < deadline, about
            time.sleep(0.5)
        parts = self.ask(ear, "clip", about["parts"], event_id=name)
        data = b"".join(base64.b64decode(part["result"]["data"]) for part in parts)
        assert hashlib.sha256(data).hexdigest() == about["sha256"]
        return about, soundfile.read(BytesIO(data))[0]


@contextmanager
def ear(broker: Broker, folder: Path, name: str, wav: Path, ppm: float) -> Iterator[Ear]:
    """Start a sound server with its microphone, and a daemon that hears it."""
    with TimedPulse() as pulse, (folder / f"{name}.log").open("wb") as log:
        pulse.feed(wav, ppm)
        config = folder / f"{name}.toml"
        config.write_text(CONFIG.format(name=name, folder=folder, model=TINY, port=broker.port))
        command = [sys.executable, "-m", "tests.support.synchronised_daemon", str(config), str(BOUND_S)]
        process = subprocess.Popen(command, env=pulse.env, stdout=log, stderr=log)
        try:
            yield Ear(name, pulse, process, folder / f"{name}.log")
            process.terminate()
            assert process.wait(20) == 0, (folder / f"{name}.log").read_text()
        finally:
            process.kill()
            process.wait(10)


def timed(seen: Subscriber, one: Ear) -> bool:
    """Tell whether a node knows the time of its samples."""
    said = seen.on(f"leakear/test/{one.name}/telemetry")
    return bool(said) and said[-1].json["sample_clock"] is not None


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "noise.wav"
    soundfile.write(path, noise(SOUND_S), RATE, "PCM_16")
    return path


def test_two_daemons_record_the_same_second(broker: Broker, tmp_path: Path, sound: Path) -> None:
    """Their sound devices run 40 ppm fast and 60 ppm slow; the time each states is true within what it states."""
    with ExitStack() as stack:
        seen = stack.enter_context(Subscriber(broker, "leakear/#"))
        ears = [
            stack.enter_context(ear(broker, tmp_path, *one, ppm))
            for one, ppm in ((("a", sound), 40.0), (("b", sound), -60.0))
        ]
        operator = Operator(broker, seen)
        for one in ears:
            seen.wait_for(lambda one=one: timed(seen, one), f"sample clock of {one.name}", 60)  # type: ignore[misc]
        time.sleep(20)  # the line becomes better with time
        name, start = uuid7(), time.time() + 3
        for one in ears:
            (answer,) = operator.ask(one, "record", recording=name, start=utc_text(start), seconds=10)
            assert answer["ok"], answer
        results = [operator.kept(one, name) for one in ears]
        ahead = time.time() - time.monotonic()
        whole = soxr.resample(noise(SOUND_S), RATE, 22050, "HQ")
        errors = []
        for one, (about, samples) in zip(ears, results, strict=True):
            assert abs(about["start_s"] - start) < 0.1
            assert about["clock"] == {"source": "chrony", "bound_s": BOUND_S}
            near = (start - ahead - one.pulse.begin) * 22050
            at = found(samples[: 22050 * 2], whole, near) * RATE / 22050
            errors.append(about["start_s"] - (one.pulse.heard_at(at) + ahead))
            assert abs(errors[-1]) <= about["uncertainty_s"], (errors, about)
            drift = about["sample_clock"]
            assert abs(drift["drift_ppm"] - one.pulse.ppm) <= drift["drift_uncertainty_ppm"], (drift, one.pulse.ppm)
        assert abs(errors[0] - errors[1]) <= sum(about["uncertainty_s"] for about, _ in results)
