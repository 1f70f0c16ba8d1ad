"""The recorder: carries out `cmd/record`, and records the slots of the night.

It is given every block after the pipeline has judged it and the event, if any, is on the disk; in each call it does at
most the work of one second of sound. So a recording never holds up an alert.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import CaptureStatus
from leakear.edge.clock_bound import Bound
from leakear.edge.decision.rule import DecisionRule
from leakear.edge.errors import InputDataError
from leakear.edge.messages.recordings import LISTED, Recording, RecordResult
from leakear.edge.messages.reports import parse_utc, utc_text, uuid7
from leakear.edge.messages.requests import PART_BYTES, RecordRequest
from leakear.edge.mqtt.dispatcher import CommandRefused
from leakear.edge.recording.options import RecordingOptions
from leakear.edge.recording.quality import clock_message, sample_clock_message
from leakear.edge.recording.slots import next_slot
from leakear.edge.recording.take import GAP, Take, TakeError
from leakear.edge.recording.writing import gain_db, level_dbfs, written

log = logging.getLogger("leakear.recording")

AHEAD_S = 86400.0
"""s that a start may lie ahead"""
AT_ONCE_S = 0.3
"""s from a request without a start to the first sample"""
SLOT_AHEAD_S = 5.0
"""s before its start at which a slot of the night is planned: until then a command may take its time"""
WAITING = 8
"""recordings that wait at the most"""
FAILED = 20
"""failed recordings that are remembered"""
NOT_KNOWN = "There is no recording {}: it was deleted for room, or the node has been started again since it was asked."


class Store(Protocol):
    """Where recordings are kept (`evidence.Evidence`)."""

    @property
    def enabled(self) -> bool:
        """Whether this site keeps sound at all."""

    def holds(self, name: str) -> bool:
        """Whether there is sound under this name."""

    def keep_recording(self, recording_id: str, sound: bytes, about: bytes) -> None:
        """Write one. Raises OSError."""

    def recordings(self) -> list[str]:
        """Return their ids, from the oldest to the newest."""

    def about(self, recording_id: str) -> bytes | None:
        """Return what is known of one (JSON); None: it is not kept."""

    def delete(self, name: str) -> None:
        """Delete one."""


@dataclass
class _Planned:
    """A recording that is not kept yet."""

    about: Recording
    take: Take
    file: Iterator[bytes | None] | None = None
    """the file while it is written; None: its sound is not complete"""

    @property
    def end(self) -> float:
        """When its last sample is heard, s since 1970."""
        return self.take.start + self.about.seconds


class Recorder:
    """Main thread only. `take` and `tick` are called for every item, in this order."""

    def __init__(
        self,
        options: RecordingOptions,
        *,
        rate: int,
        store: Store,
        capture: CaptureStatus,
        clock: Callable[[], Bound],
        rule: Callable[[], DecisionRule],
    ) -> None:
        self._options, self._rate = options, rate
        self._store, self._capture, self._clock, self._rule = store, capture, clock, rule
        self._planned: list[_Planned] = []
        self._failed: deque[Recording] = deque(maxlen=FAILED)
        self._commands: deque[float] = deque()  # monotonic s of the recordings on command
        self._fault: SensorFault | None = None  # while there is no sound
        self._utc, self._monotonic = 0.0, 0.0  # end of the newest item
        self._slot = 0.0  # start of the newest slot that was planned, s since 1970
        self._looked = 0.0  # s since 1970, when the next slot was looked for

    # ---- commands

    def handle(self, request: RecordRequest) -> RecordResult:
        """Carry out `cmd/record`. Raises CommandRefused."""
        if request.action == "list":
            return RecordResult(recordings=self._newest())
        if request.recording is None:
            raise CommandRefused(f"RecordRequest.recording is missing: {request.action} needs the recording's id.")
        found = self._find(request.recording)
        if request.action == "start" and found is None:
            found = self._start(request, request.recording)
        elif found is None:
            raise CommandRefused(NOT_KNOWN.format(request.recording))
        if request.action == "cancel":
            self._cancel(found)
        return RecordResult(recordings=(found,))

    def _start(self, request: RecordRequest, name: str) -> Recording:
        start = self._utc + AT_ONCE_S if request.start is None else parse_utc(request.start)
        self._refuse_unless_possible()
        if not self._utc <= start <= self._utc + AHEAD_S:
            now = utc_text(self._utc)
            raise CommandRefused(f"The start has passed or lies more than a day ahead: it is {now} at this node.")
        if self._store.holds(name):
            raise CommandRefused("There is no room for it under this id: it names the sound of an alert.")
        overlapping = any(one.take.start < start + request.seconds and start < one.end for one in self._planned)
        if overlapping or len(self._planned) >= WAITING:
            raise CommandRefused("This node is recording at that time already: choose another start.")
        while self._commands and self._commands[0] < self._monotonic - 3600:
            self._commands.popleft()
        if len(self._commands) >= self._options.per_hour:
            raise CommandRefused(f"This node has recorded {len(self._commands)} times within an hour: ask later.")
        self._commands.append(self._monotonic)
        return self._plan(name, "command", start, request.seconds, request.rate or self._rate)

    def _refuse_unless_possible(self) -> None:
        """Raise CommandRefused while no recording can be made."""
        if not self._store.enabled:
            raise CommandRefused("This site keeps no sound: set evidence.enabled = true on the node.")
        if self._fault is not None:
            raise CommandRefused(f"The sensor delivers no sound ({self._fault.name}): {self._fault.message}.")
        if self._capture.timing is None:
            raise CommandRefused(
                "The sensor has not been heard long enough to know the time of its samples: wait 20 s."
            )
        bound = self._clock()
        if bound.bound_s is None:
            raise CommandRefused("The clock of this node is not synchronised: run chrony on it (docs/LOCATING.md).")
        if bound.bound_s > self._options.clock_s:
            raise CommandRefused(
                f"The clock of this node may be wrong by {bound.bound_s:.3g} s ({bound.source}), more than"
                f" [recording] clock_s = {self._options.clock_s:g}: run chrony on it (docs/LOCATING.md)."
            )

    def _cancel(self, recording: Recording) -> None:
        self._planned = [one for one in self._planned if one.about.id != recording.id]
        self._failed = deque((one for one in self._failed if one.id != recording.id), maxlen=FAILED)
        if recording.state == "kept":
            self._store.delete(recording.id)

    def _plan(self, name: str, trigger: str, start: float, seconds: float, rate: int) -> Recording:
        about = Recording(
            id=name,
            trigger=trigger,
            state="waiting",
            start=utc_text(start),
            seconds=seconds,
            heard_s=0.0,
            rate=min(rate, self._rate),
        )
        self._planned.append(_Planned(about, Take(start, round(seconds * self._rate), self._rate)))
        return about

    def _find(self, name: str) -> Recording | None:
        unkept = (*(one.about for one in self._planned), *self._failed)
        return next((one for one in unkept if one.id == name), None) or self._kept(name)

    def _kept(self, name: str) -> Recording | None:
        about = self._store.about(name)
        try:
            return None if about is None else Recording.from_json(about)
        except InputDataError as error:
            log.warning("what is known of the recording %s cannot be read: %s", name, error)
            return None

    def _newest(self) -> tuple[Recording, ...]:
        """Return the newest of all that are known, the newest first."""
        kept = (self._kept(name) for name in self._store.recordings()[-LISTED:])
        unkept = (*(one.about for one in self._planned), *self._failed)
        known = [*(one for one in kept if one is not None), *unkept]
        return tuple(sorted(known, key=lambda one: one.start, reverse=True)[:LISTED])

    # ---- sound

    def take(self, item: Block | SensorFault) -> None:
        """Take every item of the source."""
        if isinstance(item, SensorFault):
            self._fault, self._utc, self._monotonic = item, item.utc, item.monotonic
            self._fail_begun(f"The sensor delivered no sound ({item.name}): {item.message}."[:500])
            return
        length_s = len(item.samples) / self._rate
        self._fault, self._utc, self._monotonic = None, item.utc + length_s, item.monotonic + length_s
        for one in [one for one in self._planned if one.file is None]:
            try:
                if one.take.push(item):
                    self._complete(one)
                elif one.take.begun:
                    one.about = replace(one.about, state="recording", heard_s=round(one.take.heard_s, 2))
            except TakeError as error:
                self._fail(one, str(error))

    def tick(self, _now: float) -> None:
        """Write one second of a complete recording, and plan the next slot of the night."""
        for one in self._planned:
            if one.file is not None:
                self._write(one, next(one.file))
                break
        if self._options.nightly and abs(self._utc - self._looked) >= 1:
            self._looked = self._utc
            self._plan_slot()

    def _plan_slot(self) -> None:
        rule = self._rule()
        start = next_slot(max(self._utc, self._slot), rule.night_minutes, rule.zone, self._options.slots)
        if start - self._utc > SLOT_AHEAD_S:
            return
        self._slot = start
        free = not any(one.take.start < start + self._options.slot_s and start < one.end for one in self._planned)
        try:
            self._refuse_unless_possible()
        except CommandRefused as error:
            log.info("no recording of the night at %s: %s", utc_text(start), error)
            return
        if free:
            rate = self._options.slot_rate or self._rate
            self._plan(uuid7(start), "night", start, self._options.slot_s, rate)

    def _complete(self, one: _Planned) -> None:
        """Say when it was heard, and begin to write it. Raises TakeError."""
        timing, bound = self._capture.timing, self._clock()
        if timing is None or bound.bound_s is None:
            raise TakeError(GAP if timing is None else "The clock of this node was lost during the recording.")
        sound = one.take.sound()
        gain = gain_db(sound)
        one.about = replace(
            one.about,
            state="recording",
            heard_s=round(one.take.heard_s, 2),
            start_s=round(one.take.began(timing.drift_ppm), 6),
            uncertainty_s=(bound.bound_s**2 + timing.uncertainty_s**2) ** 0.5,
            clock=clock_message(bound),
            sample_clock=sample_clock_message(timing),
            gain_db=round(gain, 2),
            level_dbfs=round(max(level_dbfs(sound), -400.0), 2),
            device=self._capture.device[:200],
            device_rate=self._capture.native_rate or None,
        )
        one.file = written(sound, self._rate, one.about.rate, gain)

    def _write(self, one: _Planned, file: bytes | None) -> None:
        if file is None:
            return
        digest = hashlib.sha256(file).hexdigest()
        kept = replace(one.about, state="kept", size=len(file), parts=-(-len(file) // PART_BYTES), sha256=digest)
        try:
            self._store.keep_recording(kept.id, file, kept.to_json())
        except OSError as error:
            self._fail(one, f"It could not be kept ({error}): make room on the disk, or see [evidence].")
            return
        self._planned.remove(one)

    def _fail_begun(self, reason: str) -> None:
        for one in [one for one in self._planned if one.take.start <= self._utc and one.file is None]:
            self._fail(one, reason)

    def _fail(self, one: _Planned, reason: str) -> None:
        log.warning("recording %s failed: %s", one.about.id, reason)
        self._planned.remove(one)
        self._failed.append(replace(one.about, state="failed", reason=reason))
