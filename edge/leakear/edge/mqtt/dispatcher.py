"""Commands over MQTT: checked, limited in rate, carried out by `Controls`, and answered.

No payload is trusted: rate, then size, then form are checked before a command is carried out. Every command ends as one
answer on `cmd/<name>/result` (a clip: several) or as a count in `refused`. The parts of a clip are sent by `tick`, one
at a time and only while nothing else waits for the broker: no event waits for more than one part.
"""

import base64
import hashlib
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from leakear.edge.clock import Bucket
from leakear.edge.errors import LeakearError
from leakear.edge.messages.codec import parse_object
from leakear.edge.messages.recordings import RecordResult
from leakear.edge.messages.reports import CommandResult
from leakear.edge.messages.requests import (
    PART_BYTES,
    REQUESTS,
    CalibrateRequest,
    ClipRequest,
    ModelRequest,
    RecordRequest,
    Request,
    ResendRequest,
    SetRequest,
    WatchRequest,
)
from leakear.edge.messages.results import (
    CalibrateResult,
    ClipPart,
    IdentifyResult,
    ModelResult,
    ResendResult,
    SelftestResult,
    SetResult,
    StatusResult,
    WatchResult,
)
from leakear.edge.options import option

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z]{1,16}")
REQUEST_BYTES = 4096
"""Largest payload of a command other than `model`, bytes."""
MODEL_REQUEST_BYTES = PART_BYTES * 4 // 3 + REQUEST_BYTES
"""Largest payload of one part of a model, bytes."""
WAITING_CLIPS = 2
"""clips that wait to be sent at the most, that under way included"""
RESEND_BURST, RESEND_PER_SECOND = 10, 1.0
"""`resend` has a rate of its own: whoever may only watch may ask for events, and must not delay other commands."""
NOT_SENT = (
    "The answer has {size} bytes and was not sent: the broker takes only smaller messages (mosquitto:"
    " max_packet_size), or too many answers wait."
)


class CommandRefused(LeakearError):  # noqa: N818 - it is an answer, not a failure
    """A command that the node does not carry out; the sentence becomes the answer."""


@dataclass(frozen=True)
class CommandOptions:
    """[commands]: what may be asked of this node over MQTT."""

    enabled: bool = option(True, "whether the node listens to commands at all")
    allow_clip: bool = option(
        False, "whether `clip` and `record` may let sound leave the site (speech may be heard in it)"
    )
    allow_model: bool = option(True, "whether `model` may replace the model by one signed with model.public_key")
    burst: int = option(20, "commands in a row before the rate applies", minimum=1, maximum=1000)
    per_second: float = option(2.0, "commands a second, sustained", minimum=0.01, maximum=100)
    max_mute_days: float = option(30.0, "longest `mute_until` ahead, days", minimum=0.0, maximum=366)
    max_model_bytes: int = option(
        8 * 1024**2, "largest bundle accepted over MQTT, bytes", minimum=1024, maximum=64 * 1024**2
    )


@dataclass(frozen=True)
class Clip:
    """Evidence of an event, or a recording; the answer is sent in parts."""

    event_id: str
    media_type: str
    """`audio/flac` or `image/png`"""
    data: bytes
    wanted: tuple[int, ...] | None = None
    """numbers of the parts to send; None: all"""


class Controls(Protocol):
    """What the daemon offers to the dispatcher. Each returns its typed result or raises LeakearError.

    All are called on the main thread between two windows, so none may take long: `calibrate` starts its work and
    returns, and shows its progress when it is called again.
    """

    def identify(self, request: Request) -> IdentifyResult:
        """Return what this node is: firmware, model, runtime, sensor."""

    def status(self, request: Request) -> StatusResult:
        """Return the state message and the telemetry."""

    def set(self, request: SetRequest) -> SetResult:
        """Apply and save the given changes; return what holds now."""

    def clip(self, request: ClipRequest) -> Clip:
        """Return the evidence of an event."""

    def calibrate(self, request: CalibrateRequest) -> CalibrateResult:
        """Start, stop, report or apply a calibration."""

    def selftest(self, request: Request) -> SelftestResult:
        """Check model, sensor, disk and clock now."""

    def model(self, request: ModelRequest) -> ModelResult:
        """Take a part of a bundle; install, stage or discard it."""

    def watch(self, request: WatchRequest) -> WatchResult:
        """Publish spectra for a while."""

    def resend(self, request: ResendRequest) -> ResendResult:
        """Send acknowledged events again."""

    def record(self, request: RecordRequest) -> RecordResult:
        """Record at an exact time, or say how far a recording is."""


class Dispatcher:
    """Turns payloads of `cmd/<name>` into calls of `Controls` and into answers.

    `reply(topic_suffix, payload)` publishes; False: it could not. `idle`: whether the broker has everything that was
    sent; None: it is not connected. `handle` and `tick` are called on the main thread only.
    """

    def __init__(
        self,
        options: CommandOptions,
        controls: Controls,
        reply: Callable[[str, bytes], object],
        clock: Callable[[], float] = time.monotonic,
        idle: Callable[[], bool | None] = lambda: True,
    ) -> None:
        self._controls, self._reply, self._clock, self._idle = controls, reply, clock, idle
        self._clips: deque[Iterator[CommandResult]] = deque()
        self.configure(options)
        self._flood_answers = Bucket(1, 1, clock)
        self.done = 0
        """commands carried out"""
        self.refused = 0
        """commands answered with an error, or not at all for their rate or name"""

    def configure(self, options: CommandOptions) -> None:
        """Use other options from now on (a reload)."""
        self.options = options
        self._bucket = Bucket(options.burst, options.per_second, self._clock)
        self._resend_bucket = Bucket(RESEND_BURST, RESEND_PER_SECOND, self._clock)

    def handle(self, name: str, payload: bytes) -> None:
        """Carry out one command and answer it. Never raises for anything the payload holds."""
        if not self.options.enabled or NAME.fullmatch(name) is None:
            self.refused += 1
        elif not (self._resend_bucket if name == "resend" else self._bucket).take():
            self.refused += 1
            if self._flood_answers.take():  # one answer a second: answers must not double a flood
                self._answer(name, CommandResult(id="", ok=False, error="Too many commands: wait.", result={}))
        else:
            result = self._result(name, payload)
            if result is not None:
                self._answer(name, result)

    def tick(self, _now: float = 0.0) -> None:
        """Send the next part of a clip. Without a broker the rest is given up: the asker asks for what it misses."""
        idle = self._idle() if self._clips else False
        if idle is None:
            self._clips.clear()
        elif idle:
            part = next(self._clips[0], None)
            if part is None or not self._answer("clip", part):  # the parts that follow would not be sent either
                self._clips.popleft()

    def _result(self, name: str, payload: bytes) -> CommandResult | None:
        """Carry out one command; None: the answer is sent in parts."""
        request_id = ""
        try:
            limit = MODEL_REQUEST_BYTES if name == "model" else REQUEST_BYTES
            data = parse_object(payload, f"cmd/{name}", limit)
            request_id = _readable_id(data)
            request = self._request(name, data)
            outcome = getattr(self._controls, name)(request)
            if isinstance(outcome, Clip):
                self._send_in_parts(request_id, outcome)
        except LeakearError as error:
            self.refused += 1
            return CommandResult(id=request_id, ok=False, error=str(error)[:500], result={})
        except Exception:
            log.exception("cmd/%s failed", name)
            self.refused += 1
            return CommandResult(id=request_id, ok=False, error="The node failed at this; see its log.", result={})
        self.done += 1
        if isinstance(outcome, Clip):
            return None
        return CommandResult(id=request_id, ok=True, result=outcome.to_dict())

    def _send_in_parts(self, request_id: str, clip: Clip) -> None:
        """Put a clip in line. Raises CommandRefused."""
        if len(self._clips) >= WAITING_CLIPS:
            raise CommandRefused("This node is sending other clips: ask again when they have arrived.")
        count = max(1, -(-len(clip.data) // PART_BYTES))
        wanted = range(count) if clip.wanted is None else clip.wanted
        if max(wanted) >= count:
            raise CommandRefused(f"This clip has {count} parts, numbered from 0: ask for those.")
        self._clips.append(
            CommandResult(id=request_id, ok=True, result=p.to_dict()) for p in _parts(clip, wanted, count)
        )

    def _request(self, name: str, data: Mapping[str, Any]) -> Request:
        if name not in REQUESTS:
            raise CommandRefused(f"There is no command {name}; known are {', '.join(REQUESTS)}.")
        if name in ("clip", "record") and not self.options.allow_clip:
            raise CommandRefused("This site does not let sound leave it: set commands.allow_clip = true on the node.")
        if name == "model" and not self.options.allow_model:
            raise CommandRefused("This node takes no model over MQTT: set commands.allow_model = true on the node.")
        return REQUESTS[name].from_json(data)

    def _answer(self, name: str, result: CommandResult) -> bool:
        """Send an answer; when it cannot be sent, send one that says so, and return False."""
        topic, payload = f"cmd/{name}/result", result.to_json()
        if self._reply(topic, payload) is not False:
            return True
        why = NOT_SENT.format(size=len(payload))
        log.warning("the answer to cmd/%s was not sent: %s", name, why)
        self._reply(topic, CommandResult(id=result.id, ok=False, error=why, result={}).to_json())
        return False


def _readable_id(data: Mapping[str, Any]) -> str:
    """Return the request's id if it has the right form, so that a refusal carries it too; else an empty text."""
    try:
        return Request.from_json({"id": data.get("id")}).id
    except LeakearError:
        return ""


def _parts(clip: Clip, wanted: Iterable[int], count: int) -> Iterator[ClipPart]:
    digest = hashlib.sha256(clip.data).hexdigest()
    for part in wanted:
        data = clip.data[part * PART_BYTES : (part + 1) * PART_BYTES]
        yield ClipPart(
            event_id=clip.event_id,
            part=part,
            parts=count,
            media_type=clip.media_type,
            data=base64.b64encode(data).decode(),
            size=len(clip.data),
            sha256=digest,
        )
