"""What a node may be asked over `cmd/<name>`: one closed, bounded message a command.

Unknown keys are refused, so that a misspelt `treshold` is an answer and not a silence.
"""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

from leakear.edge.fields import declare
from leakear.edge.messages.codec import Message, MessageError, message, utc_time
from leakear.edge.messages.identifiers import REQUEST_ID, SHA256, UUID7
from leakear.edge.messages.recordings import LONGEST_S, SHORTEST_S

PART_BYTES = 48 * 1024
"""Most bytes of a clip or model in one message; base64 makes 64 KiB of it, which every broker's defaults carry."""


@message
class Request(Message):
    """What every command holds. By itself: `identify`, `status` and `selftest`, which need nothing more."""

    SCHEMA = None
    CLOSED = True
    id: str = declare("chosen by the asker and repeated in the answer", pattern=REQUEST_ID, max_length=64)

    def to_dict(self) -> dict[str, Any]:
        """Keys that ask for something; an absent key and null mean the same."""
        return {key: value for key, value in super().to_dict().items() if value is not None}


@message
class SetRequest(Request):
    """`set`: change what a person may change remotely. Absent keys stay as they are; changes survive restarts."""

    threshold: float | None = declare(
        "score at and above which a window counts as leak-like", minimum=0.01, maximum=0.99, default=None
    )
    level_gate_dbfs: float | None = declare(
        "level (dBmin) under which a window counts as off, dBFS; -200: none", minimum=-200, maximum=0, default=None
    )
    as_configured: bool = declare("first drop the threshold and level gate that were set remotely", default=False)
    step_s: float | None = declare("from window to window, s", minimum=0.5, maximum=600, default=None)
    mute_until: str | None = utc_time(
        "announce no alert before this time; a time that has passed ends it", default=None
    )


@message
class ClipRequest(Request):
    """`clip`: the evidence of one event, or a recording, in parts; only where the site's configuration allows it."""

    event_id: str = declare("id of the event or of the recording", pattern=UUID7)
    media: str = declare("the sound or its picture", choices=("audio", "picture"), default="audio")
    wanted: tuple[int, ...] | None = declare(
        "numbers of the parts to send, from 0; null: all. After a cut: those that did not arrive",
        minimum=0,
        maximum=4095,
        items=(1, 64),
        default=None,
    )


@message
class CalibrateRequest(Request):
    """`calibrate`: learn this site's quiet, then propose or set the threshold; or accept that it has become quieter."""

    action: str = declare(
        "begin, give up, look, use what was learnt; accept_floor: a person has looked, `floor_drift` ends; "
        "not_a_leak: a person states that what is suspected is no leak",
        choices=("start", "cancel", "status", "apply", "accept_floor", "not_a_leak"),
    )
    hours: float = declare("how long to learn, h", minimum=0.01, maximum=24 * 14, default=8.0)
    false_alarms_per_week: float = declare(
        "budget the threshold is chosen for", minimum=0.001, maximum=100, default=1.0
    )


@message
class ModelRequest(Request):
    """`model`: one part of a signed bundle; the last part checks it, then puts it on trial or stages it."""

    action: str = declare(
        "put: a part; install: put the staged bundle on trial; discard: forget it, or the one on trial; "
        "rollback: use a model again that was in use here; list: say which there are",
        choices=("put", "install", "discard", "rollback", "list"),
        default="put",
    )
    sha256: str | None = declare("put: SHA-256 of the whole bundle file", pattern=SHA256, default=None)
    size: int | None = declare("put: bytes of the whole bundle file", minimum=1, maximum=64 * 1024**2, default=None)
    part: int | None = declare("put: which part, from 0, in order", minimum=0, maximum=4095, default=None)
    data: str | None = declare(
        "put: the part's bytes in base64, 48 KiB each but the last",
        pattern="[A-Za-z0-9+/]*={0,2}",
        max_length=PART_BYTES * 4 // 3,
        default=None,
    )
    stage: bool = declare("put: only check and keep it, to be installed later", default=False)
    trial: bool = declare(
        "put, install: first beside the model in use, which decides; false: it decides at once", default=True
    )
    to: str | None = declare(
        "rollback: id of the model, or the first 8 or more digits of its SHA-256, or factory, or configured; absent: "
        "the one before",
        max_length=128,
        default=None,
    )

    def part_bytes(self) -> bytes:
        """Decode `data`; MessageError when it is not base64."""
        try:
            return base64.b64decode(self.data or "", validate=True)
        except ValueError as error:  # also a character that is not ASCII
            raise MessageError(f"ModelRequest.data is not base64 ({error}).") from error


def model_parts(data: bytes, *, stage: bool = False, trial: bool = True) -> Iterator[dict[str, Any]]:
    """Yield the values of each `ModelRequest` that brings a bundle to a node, in order; `id` is the asker's."""
    whole: dict[str, Any] = {"action": "put", "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    whole |= ({"stage": True} if stage else {}) | ({} if trial else {"trial": False})  # 0.1 refuses unknown keys
    for part, start in enumerate(range(0, len(data), PART_BYTES)):
        chunk = base64.b64encode(data[start : start + PART_BYTES]).decode()
        yield {**whole, "part": part, "data": chunk}


@message
class WatchRequest(Request):
    """`watch`: publish `spectrum` once a window for a while; 0 ends it."""

    seconds: float = declare("how long, s", minimum=0, maximum=3600)


@message
class ResendRequest(Request):
    """`resend`: send events again that a broker has acknowledged and the asker misses, as far as they are kept."""

    from_seq: int = declare("seq of the first event", minimum=1)
    to_seq: int = declare("seq of the last event", minimum=1)


@message
class RecordRequest(Request):
    """`record`: record at an exact time, to be compared with other nodes; kept until room is short."""

    action: str = declare(
        "start: record; status: how far it is; list: all recordings that are known, those of the nights too; cancel: "
        "stop and delete it",
        choices=("start", "status", "list", "cancel"),
        default="start",
    )
    recording: str | None = declare(
        "start, status, cancel: id of the recording, chosen by the asker, the same at all nodes of a pair; a second "
        "`start` with a known id changes nothing and says how far it is",
        pattern=UUID7,
        default=None,
    )
    start: str | None = utc_time("start: when its first sample is heard, at most a day ahead; null: now", default=None)
    seconds: float = declare("start: length, s", minimum=SHORTEST_S, maximum=LONGEST_S, default=30.0)
    rate: int | None = declare(
        "start: samples a second of the file, Hz; null: the rate the model hears at, which is also the highest",
        minimum=2000,
        maximum=384000,
        default=None,
    )


REQUESTS: dict[str, type[Request]] = {
    "identify": Request,
    "status": Request,
    "set": SetRequest,
    "clip": ClipRequest,
    "calibrate": CalibrateRequest,
    "selftest": Request,
    "model": ModelRequest,
    "watch": WatchRequest,
    "resend": ResendRequest,
    "record": RecordRequest,
}
"""Request type of each command."""
