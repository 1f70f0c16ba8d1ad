"""Commands over MQTT: checked, limited in rate, carried out by `Controls`, and answered.

No payload is trusted: rate, then size, then form are checked before a command is carried out. Every command ends as one
answer on `cmd/<name>/result` (a clip: several) or as a count in `refused`.
"""

import base64
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from leakear.edge.clock import Bucket
from leakear.edge.errors import LeakearError
from leakear.edge.messages.codec import parse_object
from leakear.edge.messages.reports import CommandResult
from leakear.edge.messages.requests import (
    PART_BYTES,
    REQUESTS,
    CalibrateRequest,
    ClipRequest,
    ModelRequest,
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
    allow_clip: bool = option(False, "whether `clip` may send sound off the site (speech may be heard in it)")
    allow_model: bool = option(True, "whether `model` may replace the model by one signed with model.public_key")
    burst: int = option(20, "commands in a row before the rate applies", minimum=1, maximum=1000)
    per_second: float = option(2.0, "commands a second, sustained", minimum=0.01, maximum=100)
    max_mute_days: float = option(30.0, "longest `mute_until` ahead, days", minimum=0.0, maximum=366)
    max_model_bytes: int = option(
        8 * 1024**2, "largest bundle accepted over MQTT, bytes", minimum=1024, maximum=64 * 1024**2
    )


@dataclass(frozen=True)
class Clip:
    """Evidence of an event; the answer is sent in parts."""

    event_id: str
    media_type: str
    """`audio/flac` or `image/png`"""
    data: bytes


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


class Dispatcher:
    """Turns payloads of `cmd/<name>` into calls of `Controls` and into answers.

    `reply(topic_suffix, payload)` publishes; False: it could not. `handle` is called on the main thread only.
    """

    def __init__(
        self,
        options: CommandOptions,
        controls: Controls,
        reply: Callable[[str, bytes], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._controls, self._reply, self._clock = controls, reply, clock
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
            for result in self._results(name, payload):
                if not self._answer(name, result):
                    break  # the parts that follow would not be sent either

    def _results(self, name: str, payload: bytes) -> Iterator[CommandResult]:
        request_id = ""
        try:
            limit = MODEL_REQUEST_BYTES if name == "model" else REQUEST_BYTES
            data = parse_object(payload, f"cmd/{name}", limit)
            request_id = _readable_id(data)
            request = self._request(name, data)
            outcome = getattr(self._controls, name)(request)
        except LeakearError as error:
            self.refused += 1
            yield CommandResult(id=request_id, ok=False, error=str(error)[:500], result={})
        except Exception:
            log.exception("cmd/%s failed", name)
            self.refused += 1
            yield CommandResult(id=request_id, ok=False, error="The node failed at this; see its log.", result={})
        else:
            self.done += 1
            for result in _parts(outcome) if isinstance(outcome, Clip) else [outcome]:
                yield CommandResult(id=request_id, ok=True, result=result.to_dict())

    def _request(self, name: str, data: Mapping[str, Any]) -> Request:
        if name not in REQUESTS:
            raise CommandRefused(f"There is no command {name}; known are {', '.join(REQUESTS)}.")
        if name == "clip" and not self.options.allow_clip:
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


def _parts(clip: Clip) -> Iterator[ClipPart]:
    starts = range(0, max(len(clip.data), 1), PART_BYTES)
    for part, start in enumerate(starts):
        data = base64.b64encode(clip.data[start : start + PART_BYTES]).decode()
        yield ClipPart(event_id=clip.event_id, part=part, parts=len(starts), media_type=clip.media_type, data=data)
