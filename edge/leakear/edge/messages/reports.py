"""The messages of a node: what goes over MQTT, as frozen dataclasses that read and write their own JSON.

Times are texts: ISO-8601, UTC, milliseconds, `Z`. Levels are dBFS, 0 dB being a full-scale sine. Topics:
`leakear/<site>/<node>/availability|state|event|telemetry|spectrum|cmd/<name>|cmd/<name>/result`.
"""

import math
import re
import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

from leakear.edge.errors import ConfigError
from leakear.edge.fields import declare
from leakear.edge.messages.codec import Message, MessageError, message, parse_utc, utc_time
from leakear.edge.messages.identifiers import NAME, SHA256, UUID7
from leakear.edge.messages.nights import Night
from leakear.edge.messages.timing import ClockBound, SampleClock

__all__ = [
    "EVENT_KINDS", "STATES", "Availability", "CommandResult", "DecidedOn", "Event", "Identity", "Learning",
    "Message", "MessageError", "ModelRef", "ModelTrial", "Spectrum", "State", "Telemetry", "parse_utc", "utc_now",
    "utc_text", "uuid7",
]  # fmt: skip

STATES = ("OK", "WARNING", "LEAK", "NOISY", "SENSOR_FAULT")
TUNED_BY = ("model", "site", "remote", "afar")
"""`afar` is what version 0.1 said for `remote`"""
DECIDED_BY = ("hours", "nights", "score")
MAY_SAY = ("warning", "strong leaks", "lasting leaks", "all")
EVENT_KINDS = ("state", "fault", "dropped", "model", "night", "test")
LAST_SECOND = 253402300799.999
"""POSIX seconds of the last millisecond of year 9999: a broken clock must not break a message."""


def utc_text(posix: float) -> str:
    """ISO-8601 UTC with milliseconds from POSIX seconds: `2026-11-22T14:43:23.120Z`."""
    seconds = min(max(posix, 0.0), LAST_SECOND) if math.isfinite(posix) else 0.0
    moment = datetime.fromtimestamp(math.floor(seconds * 1000 + 0.5) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_now() -> str:
    """Text of the present moment by the node's clock, right or wrong."""
    return utc_text(time.time())


def uuid7(posix: float | None = None) -> str:
    """Make a UUIDv7 (RFC 9562): 48 bits of POSIX milliseconds, then 74 random bits."""
    milliseconds = int(max(time.time() if posix is None else posix, 0.0) * 1000) & (2**48 - 1)
    random = secrets.randbits(74)
    value = milliseconds << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & (2**62 - 1)
    return str(uuid.UUID(int=value))


@dataclass(frozen=True)
class Identity:
    """Which node speaks: one topic level each, so that a broker's ACL can be written per node."""

    site: str
    node: str

    ROOT: ClassVar[str] = "leakear"

    def __post_init__(self) -> None:
        for key, value in (("site", self.site), ("node", self.node)):
            if re.fullmatch(NAME, value) is None:
                raise ConfigError(f"{key} is {value!a}: use 1 to 64 letters, digits, '_' or '-' (a topic level).")

    def topic(self, suffix: str) -> str:
        """`leakear/<site>/<node>/<suffix>`."""
        return f"{self.ROOT}/{self.site}/{self.node}/{suffix}"

    @classmethod
    def parse_topic(cls, topic: str) -> tuple[Self, str]:
        """Who sent, and the suffix; MessageError for a topic that is none of ours."""
        root, *levels = topic.split("/", 3)
        if root != cls.ROOT or len(levels) != 3 or not all(re.fullmatch(NAME, name) for name in levels[:2]):
            raise MessageError(f"{topic[:80]!a} is not a topic leakear/<site>/<node>/….")
        return cls(levels[0], levels[1]), levels[2]


class Availability(StrEnum):
    """Retained payload of `availability`; the last will says OFFLINE. ASLEEP: until `state.asleep_until`."""

    ONLINE = "online"
    OFFLINE = "offline"
    ASLEEP = "asleep"

    def to_json(self) -> bytes:
        """Return the bare word, which dashboards expect on an availability topic."""
        return self.value.encode()

    @classmethod
    def from_json(cls, payload: bytes | str) -> Self:
        """Read the bare word. Raises MessageError."""
        for word in cls:
            if payload in (word.value, word.value.encode()):
                return word
        raise MessageError("Availability must be the word online, offline or asleep.")


@message
class ModelRef(Message):
    """Which model judged."""

    SCHEMA = None
    id: str = declare("name and date of the model, from its bundle", max_length=128)
    sha256: str = declare("SHA-256 of the flatbuffer", pattern=SHA256)


@message
class ModelTrial(Message):
    """A new model that is not trusted yet."""

    SCHEMA = None
    model: ModelRef = declare("the new model")
    beside: ModelRef = declare("the model before it, compared on the same windows")
    decides: bool = declare("false: on trial, the model before it decides; true: it decides and is watched")
    until: str | None = utc_time("when that ends, if the node can hear until then")


@message
class Learning(Message):
    """What the node has learnt of its place, and what it may say with that."""

    SCHEMA = None
    background_ready: bool = declare("whether the levels of this place are known, so that an excess can be measured")
    nights_known: int = declare("nights that were judged", minimum=0)
    may_say: str = declare(
        "warning: no LEAK yet; strong leaks: LEAK within the hour, none of several nights yet; "
        "lasting leaks: LEAK of several nights, none within the hour yet; all",
        choices=MAY_SAY,
    )


@message
class DecidedOn(Message):
    """What a WARNING or LEAK was decided on."""

    SCHEMA = None
    by: str = declare(
        "hours: a sound of the last hour above the background; nights: what lasted through the nights; score: the "
        "score alone",
        choices=DECIDED_BY,
    )
    on_share: float = declare("share of leak-like windows over the decision span", minimum=0, maximum=1)
    excess_db: float | None = declare("excess over the background of this node, dB", minimum=-400, maximum=400)
    hz: float | None = declare("frequency of the excess, Hz", minimum=0, maximum=200000)
    limit_db: float | None = declare("the excess limit that this node has learnt, dB", minimum=0, maximum=400)
    nights_known: int = declare("nights that were judged", minimum=0)
    nights_risen: int = declare("of the last three nights, those above the limit", minimum=0, maximum=3)


@message
class State(Message):
    """What holds now. Retained, QoS 1: sent at every change, every connect and at least once a minute."""

    site: str = declare("installation", pattern=NAME)
    node: str = declare("node within the site", pattern=NAME)
    state: str = declare("what time has decided", choices=STATES)
    since: str = utc_time("when this state began")
    score: float | None = declare("P(leak) of the last window; null while nothing can be scored", minimum=0, maximum=1)
    level_dbfs: float | None = declare("RMS level of the last window, dBFS", minimum=-400, maximum=20)
    noise_floor_dbfs: float | None = declare("level of the quietest moments, dBFS", minimum=-400, maximum=20)
    faults: tuple[str, ...] = declare("named faults that hold now; empty when healthy", max_length=64)
    threshold: float = declare("score at and above which a window counts as leak-like", minimum=0, maximum=1)
    level_gate_dbfs: float | None = declare(
        "level (dBmin) under which a window counts as off, dBFS; null: none", minimum=-400, maximum=20, default=None
    )
    threshold_from: str | None = declare(
        "who chose threshold and level gate: model, site (configuration) or remote (a command; version 0.1: afar)",
        choices=TUNED_BY,
        default=None,
    )
    limit_db: float | None = declare(
        "excess over the background from which a sound counts, learnt here, dB; null: not used or not known",
        minimum=0,
        maximum=400,
        default=None,
    )
    learning: Learning | None = declare("what has been learnt of this place", default=None)
    muted_until: str | None = utc_time("no alert is announced before this time; null when not muted")
    asleep_until: str | None = utc_time(
        "when the node listens again; null while it listens. Until then the state is that of the last window",
        default=None,
    )
    model: ModelRef = declare("the model in use")
    staged_model: ModelRef | None = declare("a verified model that waits for cmd/model install", default=None)
    model_trial: ModelTrial | None = declare("a new model on trial, or still watched", default=None)
    firmware: str = declare("version of the daemon", max_length=64)
    window_end: str | None = utc_time("end of the last window; null before the first")
    window_s: float = declare("length of a window, s", minimum=0.1, maximum=3600)
    step_s: float = declare("from window to window, s", minimum=0.1, maximum=86400)
    clock_synced: bool = declare("whether the node's clock was synchronised")
    clock: ClockBound | None = declare("how well the node's clock is known", default=None)
    sample_clock: SampleClock | None = declare(
        "how well the time of a sample is known; null: not yet, or no sound", default=None
    )
    seq: int = declare("seq of the node's last event; 0 before the first", minimum=0)
    queue_depth: int = declare("events that no broker has acknowledged yet", minimum=0)


@message
class Event(Message):
    """What happened. QoS 1 from the durable outbox, never retained; `seq` grows by one per node, for ever."""

    id: str = declare("UUIDv7; the same event sent twice carries the same id", pattern=UUID7)
    seq: int = declare(
        "order of the node's events, without gaps; 0 before the outbox has numbered it, and for a test", minimum=0
    )
    site: str = declare("installation", pattern=NAME)
    node: str = declare("node within the site", pattern=NAME)
    kind: str = declare(
        "what sort of event: a change of state, a fault, events given up, a model, a night, a test (it says nothing of "
        "the pipe)",
        choices=EVENT_KINDS,
    )
    from_state: str = declare("state before", name="from", choices=STATES)
    to_state: str = declare("state after; equal to `from` where the state did not change", name="to", choices=STATES)
    reason: str = declare("one sentence for people", max_length=500)
    window_start: str = utc_time("start of the window that decided")
    window_end: str = utc_time("end of the window that decided")
    clock_synced: bool = declare("whether the clock was synchronised; false means: order by seq", default=False)
    score: float | None = declare("P(leak) of that window", minimum=0, maximum=1, default=None)
    on_fraction: float | None = declare(
        "share of leak-like windows over the decision span", minimum=0, maximum=1, default=None
    )
    level_dbfs: float | None = declare("RMS level of that window, dBFS", minimum=-400, maximum=20, default=None)
    decided_on: DecidedOn | None = declare("what a WARNING or LEAK was decided on; null for others", default=None)
    faults: tuple[str, ...] = declare("named faults at that moment", max_length=64, default=())
    model: ModelRef = declare("the model that judged")
    evidence: bool = declare("whether a clip of it was kept on the node when this was sent (cmd/clip)", default=False)
    dropped: int = declare("kind `dropped`: how many events were given up for room", minimum=0, default=0)
    night: Night | None = declare("kind `night`: what was heard in the night that ended; null for others", default=None)
    resent: bool = declare("whether it was acknowledged before and is sent again because somebody asked", default=False)


@message
class Telemetry(Message):
    """How the node does. QoS 0, every minute by default; counters run since the start of the daemon."""

    time: str = utc_time("when it was measured")
    uptime_s: float = declare("since the daemon started, s", minimum=0)
    level_dbfs: float | None = declare("RMS level, dBFS", minimum=-400, maximum=20)
    noise_floor_dbfs: float | None = declare("level of the quietest moments, dBFS", minimum=-400, maximum=20)
    noise_floor_drift_db: float | None = declare("noise floor against its long mean, dB", minimum=-400, maximum=400)
    score: float | None = declare("P(leak) of the last window", minimum=0, maximum=1)
    windows_produced: int = declare("windows cut from the stream", minimum=0)
    windows_scored: int = declare("windows that the model judged", minimum=0)
    windows_discarded: int = declare("windows spoiled by a gap", minimum=0)
    windows_dropped: int = declare("windows skipped because the node fell behind", minimum=0)
    overruns: int = declare("times the sound device lost samples", minimum=0)
    reconnects: int = declare("times the broker was reached again", minimum=0)
    real_time_factor: float | None = declare("work time over sound time; 1 is the limit", minimum=0)
    queue_depth: int = declare("events that no broker has acknowledged yet", minimum=0)
    queue_bytes: int = declare("bytes of the outbox", minimum=0)
    temperature_c: float | None = declare("of the processor, °C", minimum=-100, maximum=200)
    disk_free_bytes: int | None = declare("room left for evidence and the outbox, bytes", minimum=0)
    rss_bytes: int | None = declare("resident memory of the daemon, bytes", minimum=0)
    certificate_expires: str | None = utc_time("when the first TLS certificate in use expires")
    clock_synced: bool = declare("whether the node's clock is synchronised")
    clock: ClockBound | None = declare("how well the node's clock is known", default=None)
    sample_clock: SampleClock | None = declare(
        "how well the time of a sample is known; null: not yet, or no sound", default=None
    )
    limit_db: float | None = declare(
        "excess over the background from which a sound counts, dB; null: not used or not known",
        minimum=0,
        maximum=400,
        default=None,
    )
    learning: Learning | None = declare("what has been learnt of this place", default=None)


@message
class Spectrum(Message):
    """The last window's spectrum for a person who watches (cmd/watch). QoS 0, one a window."""

    time: str = utc_time("end of the window")
    low_hz: float = declare("lower edge of the first band, Hz", minimum=0)
    high_hz: float = declare("upper edge of the last band, Hz", minimum=0)
    db: tuple[float, ...] = declare(
        "mean level of 64 bands of equal width, dB", minimum=-400, maximum=20, items=(64, 64)
    )


@message
class CommandResult(Message):
    """The answer to one command, on `cmd/<name>/result`, QoS 1."""

    id: str = declare("the request's id; empty where the request had none that could be read", max_length=64)
    ok: bool = declare("whether it was done")
    error: str | None = declare("one sentence why not; null when done", max_length=500, default=None)
    result: dict[str, Any] = declare("what the command gives back, by command")
