"""Recordings that were asked for: the request `cmd/record` and what a node says of each recording.

The sound itself is fetched with `cmd/clip`, by the recording's id.
"""

from leakear.edge.fields import declare
from leakear.edge.messages.codec import Message, message, utc_time
from leakear.edge.messages.identifiers import SHA256, UUID7
from leakear.edge.messages.timing import ClockBound, SampleClock

SHORTEST_S, LONGEST_S = 5.0, 60.0
"""s of one recording"""
LISTED = 64
"""recordings in one answer at the most"""
STATES = ("waiting", "recording", "kept", "failed")


@message
class Recording(Message):
    """One recording: how far it is and, once kept, when exactly its first sample was heard."""

    SCHEMA = None
    id: str = declare(
        "chosen by the asker, the same at all nodes of a pair; of a nightly one by the node", pattern=UUID7
    )
    trigger: str = declare("who asked: a command, or the schedule of the night", choices=("command", "night"))
    state: str = declare("how far it is", choices=STATES)
    reason: str | None = declare("failed: one sentence why", max_length=500, default=None)
    start: str = utc_time("when its first sample was to be heard")
    seconds: float = declare("length asked for, s", minimum=0, maximum=LONGEST_S)
    heard_s: float = declare("s recorded so far", minimum=0)
    rate: int = declare("nominal samples a second of the file, Hz", minimum=1, maximum=384000)
    start_s: float | None = declare(
        "when the first sample was heard by the node's clock, s since 1970, to the microsecond; null before that",
        minimum=0,
        default=None,
    )
    uncertainty_s: float | None = declare(
        "s; `start_s` differs from UTC by at most this (95 %): the clock and the sound device together",
        minimum=0,
        default=None,
    )
    clock: ClockBound | None = declare("the clock at the end of the recording", default=None)
    sample_clock: SampleClock | None = declare("the device's samples at the end of the recording", default=None)
    gain_db: float | None = declare(
        "dB by which the file is louder than what the device delivered; no other gain is known to the node",
        minimum=-400,
        maximum=400,
        default=None,
    )
    level_dbfs: float | None = declare(
        "RMS level as the device delivered it, dBFS", minimum=-400, maximum=20, default=None
    )
    device: str | None = declare("name of the sound device", max_length=200, default=None)
    device_rate: int | None = declare("Hz at which the device delivers", minimum=1, maximum=384000, default=None)
    size: int | None = declare("bytes of the file; null before it is kept", minimum=1, default=None)
    parts: int | None = declare("parts in which cmd/clip sends it", minimum=1, default=None)
    sha256: str | None = declare("SHA-256 of the file", pattern=SHA256, default=None)


@message
class RecordResult(Message):
    """`record`: the recording that was named; with `list` all that are known, the newest first."""

    SCHEMA = None
    recordings: tuple[Recording, ...] = declare("one, or with `list` all", items=(0, LISTED))
