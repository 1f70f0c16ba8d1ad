"""What each command gives back: the `result` object of a CommandResult, one typed message a command."""

from leakear.edge.fields import declare
from leakear.edge.messages.codec import Message, message, utc_time
from leakear.edge.messages.identifiers import NAME, SHA256, UUID7
from leakear.edge.messages.recordings import RecordResult
from leakear.edge.messages.reports import ModelRef, State, Telemetry
from leakear.edge.messages.requests import PART_BYTES


@message
class IdentifyResult(Message):
    """`identify`: what this node is."""

    SCHEMA = None
    site: str = declare("installation", pattern=NAME)
    node: str = declare("node within the site", pattern=NAME)
    firmware: str = declare("version of the daemon", max_length=64)
    model: ModelRef = declare("the model in use")
    python: str = declare("version of Python", max_length=64)
    machine: str = declare("kind of processor", max_length=64)
    window_s: float = declare("length of a window, s", minimum=0.1, maximum=3600)
    step_s: float = declare("from window to window, s", minimum=0.1, maximum=86400)
    sample_rate: int = declare("rate the model hears at, Hz", minimum=1, maximum=384000)
    commands: tuple[str, ...] = declare("commands this site allows", max_length=16)


@message
class StatusResult(Message):
    """`status`: everything that holds now."""

    SCHEMA = None
    state: State = declare("as on `state`")
    telemetry: Telemetry = declare("as on `telemetry`")
    commands_done: int = declare("commands carried out since the start", minimum=0)
    commands_refused: int = declare("commands refused since the start", minimum=0)
    model_on_trial: bool = declare("whether a new model is on trial, or still being watched")


@message
class SetResult(Message):
    """`set`: what holds now."""

    SCHEMA = None
    threshold: float = declare("score at and above which a window counts as leak-like", minimum=0, maximum=1)
    level_gate_dbfs: float | None = declare(
        "level under which a window counts as off, dBFS; null: none", minimum=-400, maximum=20, default=None
    )
    step_s: float = declare("from window to window, s", minimum=0.1, maximum=86400)
    muted_until: str | None = utc_time("no alert is announced before this time; null when not muted")


@message
class ClipPart(Message):
    """`clip`: one part of the file; the answer consists of the parts that were wanted, as messages with the same id."""

    SCHEMA = None
    event_id: str = declare("id of the event or of the recording", pattern=UUID7)
    part: int = declare("which part, from 0", minimum=0)
    parts: int = declare("how many there are", minimum=1)
    media_type: str = declare("of the whole", choices=("audio/flac", "image/png"))
    data: str = declare("the part's bytes in base64, 48 KiB each but the last", max_length=PART_BYTES * 4 // 3)
    size: int | None = declare("bytes of the whole", minimum=0, default=None)
    sha256: str | None = declare("SHA-256 of the whole", pattern=SHA256, default=None)


@message
class CalibrateResult(Message):
    """`calibrate`: how the learning of this site's quiet stands."""

    SCHEMA = None
    phase: str = declare("how far it is", choices=("idle", "learning", "ready", "refused"))
    heard_s: float = declare("quiet sound learnt from so far, s", minimum=0)
    remaining_s: float = declare("time still to go, s", minimum=0)
    threshold: float | None = declare("the proposal; null until there is one", minimum=0, maximum=1)
    level_gate_dbfs: float | None = declare("level under which a window counts as off, dBFS", minimum=-400, maximum=20)
    reason: str = declare("one sentence for people", max_length=500)


@message
class Check(Message):
    """One finding of a self-test."""

    SCHEMA = None
    name: str = declare("what was looked at", max_length=64)
    ok: bool = declare("whether it is as it should be")
    detail: str = declare("one sentence: what was seen", max_length=300)


@message
class SelftestResult(Message):
    """`selftest`: model, sensor, disk, clock and delivery, looked at now."""

    SCHEMA = None
    passed: bool = declare("whether every check is ok")
    checks: tuple[Check, ...] = declare("the findings")


@message
class StoredModel(Message):
    """A model that a node may use."""

    SCHEMA = None
    id: str = declare("name and date of the model, from its bundle", max_length=128)
    sha256: str = declare("SHA-256 of the flatbuffer", pattern=SHA256)
    use: str = declare(
        "before: was in use here before", choices=("in use", "on trial", "staged", "before", "configured", "factory")
    )


@message
class ModelResult(Message):
    """`model`: what became of the part or the action."""

    SCHEMA = None
    stage: str = declare(
        "what is true now; trial: beside the model in use, which decides; installed: it decides and is watched",
        choices=("receiving", "staged", "trial", "installed", "discarded", "rolled back", "listed"),
    )
    next_part: int = declare("part that is expected next", minimum=0)
    parts: int = declare("parts of the bundle under way; 0 when none is", minimum=0)
    model: ModelRef | None = declare("the model that was staged, put on trial or to use", default=None)
    models: tuple[StoredModel, ...] = declare("list: the models of this node, that in use first", default=())


@message
class WatchResult(Message):
    """`watch`: until when spectra come."""

    SCHEMA = None
    seconds: float = declare("how long they will come, s", minimum=0, maximum=3600)


@message
class ResendResult(Message):
    """`resend`: what is sent again, on the topic of events and marked `resent`, some a second."""

    SCHEMA = None
    events: int = declare("events that are sent; those that wait for the broker anyway are not counted", minimum=0)
    next_seq: int | None = declare(
        "the request named too many events at once: ask again from this seq; null: that was all", minimum=1
    )


RESULTS: dict[str, type[Message]] = {
    "identify": IdentifyResult,
    "status": StatusResult,
    "set": SetResult,
    "clip": ClipPart,
    "calibrate": CalibrateResult,
    "selftest": SelftestResult,
    "model": ModelResult,
    "watch": WatchResult,
    "resend": ResendResult,
    "record": RecordResult,
}
"""Result type of each command."""
