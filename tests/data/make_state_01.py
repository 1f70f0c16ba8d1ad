"""Make tests/data/state-0.1: what a node of version 0.1 leaves behind, written by the daemon code of that version.

    PYTHONPATH=CHECKOUT/edge python tests/data/make_state_01.py      (CHECKOUT: of commit 74588d9; takes some minutes)

The node listens for 68 hours, installs a signed model over MQTT, is changed by commands, loses its microphone for some
seconds and hears a leak until WARNING. No broker is there, so every event waits in the outbox. `expected.json` holds
what the node of version 0.1 itself said at the end.
"""

import base64
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from leakear.edge.capture import SensorFault

from leakear.edge import bundle, settings  # type: ignore[attr-defined]
from leakear.edge.audio import Block
from leakear.edge.compose import open_node

DATA = Path(__file__).parent
TARGET = DATA / "state-0.1"
BEGAN = 1.79e9
RATE = 22050
HOURS = 68
PART = 48 * 1024
CHANGES = {
    "node": {"site": "hill", "name": "pit-7", "telemetry_s": 120.0},
    "window": {"step_s": 60.0},
    "decision": {"threshold": 0.6, "rise_db": 1.5},
    "mqtt": {"host": "127.0.0.1", "port": 1},
    "commands": {"max_mute_days": 60.0},
    "homeassistant": {"area": "Garden"},
}


class TrueClock:
    """A clock that is always synchronised; recordings tell the time."""

    faults: dict[str, str] = {}  # noqa: RUF012

    def look(self) -> bool:
        return True

    def boot(self) -> None: ...


def configuration() -> Iterator[str]:
    """Every key of version 0.1, uncommented."""
    section = ""
    for line in settings.annotated():
        if line.startswith("["):
            section = line[1 : line.index("]")]
            yield f"[{section}]"
        elif line.startswith("#") and not line.startswith("# "):
            key = line[1:].split(" = ")[0]
            changed = CHANGES.get(section, {}).get(key)
            yield line[1:] if changed is None else f"{key} = {settings.toml(changed)}"


def signed(name: str, created: str, key: Ed25519PrivateKey) -> bytes:
    base = bundle.read(DATA / "tiny.tflite")
    info = dict(base.info.raw)
    info["model"] = {"id": name, "name": name, "created": created, "version": "1"}
    parts = (base.flatbuffer, info, base.golden_inputs, base.golden_logits)
    plain = bundle.assemble(*parts)
    return bytes(bundle.assemble(*parts, key.sign(bundle.parse(plain, name).signed_bytes)))


class Life:
    """A node that hears noise in steps of ten seconds."""

    def __init__(self, node: Any) -> None:
        self.node, self._at = node, 0
        self._noise = np.random.default_rng(5).standard_normal(RATE * 30).astype(np.float32)
        self._random = np.random.default_rng(6)

    def hear(self, seconds: float, rms: float) -> None:
        for _ in range(round(seconds / 10)):
            first = int(self._random.integers(RATE * 20))
            gain = np.float32(rms * 10 ** (self._random.normal(0, 0.3) / 20))
            at = self._at / RATE
            self.node.take(Block(self._at, self._noise[first : first + RATE * 10] * gain, BEGAN + at, 1000 + at))
            self._at += RATE * 10

    def be_deaf(self, seconds: int) -> None:
        for _ in range(seconds):
            at = self._at / RATE
            self.node.take(SensorFault("no_frames", "nothing comes from the microphone", 1000 + at, BEGAN + at))
            self._at += RATE

    def command(self, name: str, **body: Any) -> None:
        dispatcher = self.node.link.on_command.__self__.dispatcher
        done = dispatcher.done
        dispatcher.handle(name, json.dumps({"id": "x", **body}).encode())
        assert dispatcher.done == done + 1, name


def live(folder: Path, data: bytes) -> dict[str, Any]:
    """Let a node of version 0.1 live, and return what it knows at its end."""
    given = settings.Settings.load(folder / "leakear.toml", environment(folder))
    with open_node(given, TrueClock()) as node:
        node.open()
        life = Life(node)
        life.hear(HOURS * 3600, 3e-4)
        whole = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "action": "put"}
        for part, start in enumerate(range(0, len(data), PART)):
            life.command("model", part=part, data=base64.b64encode(data[start : start + PART]).decode(), **whole)
        life.hear(660, 3e-4)
        life.command("set", threshold=0.7, level_gate_dbfs=-90, step_s=30, mute_until="2026-10-25T00:00:00.000Z")
        life.be_deaf(12)
        life.hear(120, 3e-4)
        for _ in range(60):
            life.hear(60, 0.03)
            if node.pipeline.decision.state == "WARNING":
                break
        life.hear(60, 0.03)
        node.close()
        return {
            "utc": node.now[1],
            "state": node.pipeline.decision.state.value,
            "model": node.model.info.model_id,
            "step_s": node.pipeline.step_s,
            "muted_until": node.muted_until,
            "threshold": node.pipeline.decision.rule.threshold,
            "level_gate_dbfs": node.pipeline.decision.rule.level_gate_dbfs,
            "seq": node.outbox.last_seq,
            "events": [json.loads(row.payload) for row in node.outbox.pending(999)],
            "saved": node.outbox.load_state(),
        }


def environment(folder: Path) -> dict[str, str]:
    return {
        "LEAKEAR_NODE_STATE_DIR": str(folder / "state"),
        "LEAKEAR_MODEL_PATH": str(folder / "first.tflite"),
        "LEAKEAR_MODEL_PUBLIC_KEY": str(folder / "key.pem"),
    }


def main() -> int:
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir()
    (TARGET / "leakear.toml").write_text("\n".join(configuration()) + "\n")
    key = Ed25519PrivateKey.generate()
    (TARGET / "key.pem").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (TARGET / "first.tflite").write_bytes(signed("first", "2026-11-01T00:00:00Z", key))
    expected = live(TARGET, signed("second", "2026-11-20T00:00:00Z", key))
    (TARGET / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
