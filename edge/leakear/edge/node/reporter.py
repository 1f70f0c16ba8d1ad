"""The reporter: builds the status of the node, stores events, publishes messages, saves the state.

Main thread only. `set_time` comes first for every item; nothing here looks at a clock of its own.
"""

from collections.abc import Callable, Mapping

from leakear.edge.audio.capture import CaptureStatus
from leakear.edge.messages.reports import Event, Telemetry
from leakear.edge.mqtt.link import Link
from leakear.edge.node.allocator import return_freed_memory
from leakear.edge.node.detector import Detector
from leakear.edge.node.events import EventWriter, night_event, state_message
from leakear.edge.node.faults import Faults
from leakear.edge.node.restart import Restart, TimeKeeper
from leakear.edge.node.status import Counters, Machine, NodeStatus
from leakear.edge.node.telemetry import Workload, spectrum, telemetry_message
from leakear.edge.outbox.queue import Outbox
from leakear.edge.pipeline import Result
from leakear.edge.recording.clock_bound import UNKNOWN, Bound
from leakear.edge.settings import NodeOptions

STATE_EVERY_S = 60.0
"""s; the state is published at least this often, so that a receiver notices when a node has stopped"""
MEMORY_EVERY_S = 3600.0
"""s after which the heap's freed pages go back to the system"""


class Reporter:
    """Everything that leaves the node: events into the outbox, messages to the broker, state to the disk."""

    def __init__(
        self,
        options: NodeOptions,
        *,
        detector: Detector,
        events: EventWriter,
        restart: Restart,
        outbox: Outbox,
        link: Link | None,
        clock: TimeKeeper,
        faults: Faults,
        capture: CaptureStatus,
        bound: Callable[[], Bound],
    ) -> None:
        self.workload = Workload()
        self.now = (0.0, 0.0)
        """monotonic and UTC of the newest item, s"""
        self.asleep_until: float | None = None
        """s since 1970, when the node wakes; None: it listens"""
        self.directory = options.directory
        """where the node writes"""
        self._identity, self._telemetry_s = options.identity, options.telemetry_s
        self._detector, self._events, self._restart = detector, events, restart
        self._outbox, self._link, self._clock = outbox, link, clock
        self._faults, self._capture, self._bound = faults, capture, bound
        self._started: float | None = None  # monotonic s of the first item
        self._stopped = False  # whether this run ends on purpose
        self._watched_until = 0.0  # s, monotonic
        self._due = {"telemetry": 0.0, "state": 0.0, "save": 0.0, "memory": 0.0}

    def set_time(self, monotonic: float, utc: float) -> bool:
        """Note the time of an item, s; True for the first one."""
        self.now = (monotonic, utc)
        first = self._started is None
        if self._started is None:
            self._started = monotonic
        return first

    @property
    def faults(self) -> Mapping[str, str]:
        """Name → sentence, of every fault that any part has now."""
        return self._faults.now()

    def clock(self) -> Bound:
        """Return how well the clock is known."""
        return self._bound() if self._clock.look() else UNKNOWN

    def status(self) -> NodeStatus:
        """Return the picture of the node at this moment."""
        detector, outbox, link = self._detector, self._outbox, self._link
        pipeline, info, (monotonic, utc) = detector.pipeline, detector.model.info, self.now
        return NodeStatus(
            identity=self._identity,
            model=detector.model_ref,
            staged_model=detector.staged_model,
            trial=detector.trial(utc),
            sample_rate=info.spec.sample_rate,
            window_s=info.spec.window_seconds,
            step_s=pipeline.step_s,
            monotonic=monotonic,
            utc=utc,
            uptime_s=monotonic - (self._started or 0.0),
            clock_synced=self._clock.look(),
            clock=self.clock(),
            timing=self._capture.timing,
            state=pipeline.decision.state.value,
            since_utc=self._events.since_utc,
            on_fraction=pipeline.decision.on_fraction,
            last=detector.last,
            faults=self.faults,
            threshold=pipeline.decision.rule.threshold,
            level_gate_dbfs=detector.level_gate_dbfs,
            threshold_from=detector.threshold_from,
            learning=detector.learning,
            muted_until=detector.muted_until(utc),
            asleep_until=self.asleep_until,
            seq=outbox.last_seq,
            queue_depth=outbox.depth,
            queue_bytes=outbox.bytes,
            connected=link is not None and link.connected,
            certificate_expires=link.certificate_expires if link else None,
            real_time_factor=self.workload.real_time_factor,
            mono_microphone=self._capture.duplicated_channels,
            counters=self._counters(),
        )

    def _counters(self) -> Counters:
        pipeline = self._detector.pipeline
        return Counters(
            produced=pipeline.windower.produced,
            scored=pipeline.scored,
            discarded=pipeline.discarded,
            dropped=pipeline.windower.dropped,
            overruns=self._capture.overruns + self._capture.lost_blocks,
            reconnects=self._link.reconnects if self._link else 0,
        )

    def telemetry(self) -> Telemetry:
        """Return the telemetry message of this moment."""
        return telemetry_message(self.status(), Machine.measure(self.directory))

    # ---- events

    def report(self, result: Result) -> Event | None:
        """Store the events of a result, then publish the state; return the one of a change, None: nothing changed.

        A power cut between the two of one result leaves the night alone, and it is reported again: a receiver knows a
        night by its date.
        """
        status = self.status()
        event = self._events.event_of(result, status)
        if result.night is not None:
            night = night_event(result.night, result, status, minutes=self._detector.rule.night_minutes)
            if event is None:
                self._store(night)
            else:
                self._outbox.put(night)
        return self._store(event) if event else None

    def announce(self, kind: str, reason: str) -> None:
        """Store an event that changes no state (a model was replaced), then publish the state."""
        status = self.status()
        result = status.last or Result(self._detector.pipeline.decision.state, None, status.utc, status.utc)
        self._store(self._events.announcement(kind, reason, result, status))

    def _store(self, event: Event) -> Event:
        numbered = self._outbox.put(event, self._snapshot())  # one transaction: a power cut leaves both or neither
        self.send_state()
        return numbered

    # ---- messages between events

    def send(self, suffix: str, payload: bytes, qos: int = 0) -> bool:
        """Publish under this node's topic; False: there is no link, or it does not take this now."""
        return self._link is not None and self._link.send(suffix, payload, qos)

    def send_state(self) -> None:
        """Publish the state now."""
        self._due["state"] = self.now[0] + STATE_EVERY_S
        if self._link:
            self._link.retain("state", state_message(self.status()).to_json())

    def send_due(self) -> None:
        """Publish state and telemetry, save the state, return freed memory: each when it is due."""
        now = self.now[0]
        if now >= self._due["state"]:
            self.send_state()
        if now >= self._due["telemetry"]:
            self._due["telemetry"] = now + self._telemetry_s
            self.send("telemetry", self.telemetry().to_json())
            self.workload.begin()
        if now >= self._due["save"]:
            self.save()
        if now >= self._due["memory"]:
            self._due["memory"] = now + MEMORY_EVERY_S
            return_freed_memory()

    def watch(self, seconds: float) -> None:
        """Publish the spectrum of every window for some seconds; 0 ends it."""
        self._watched_until = self.now[0] + seconds

    def send_spectrum(self, result: Result) -> None:
        """Publish the spectrum of a result while somebody watches."""
        if self.now[0] < self._watched_until and result.spectrogram is not None:
            spec = self._detector.model.info.spec
            self.send("spectrum", spectrum(result.spectrogram, spec, result.end_utc).to_json())

    # ---- saved state

    def save(self) -> None:
        """Save the state to the disk now."""
        self._due["save"] = self.now[0] + self._restart.save_every_s(self.now[0])
        self._outbox.save_state(self._snapshot(), at_once=True)

    def stop(self) -> None:
        """Note that this run ends on purpose, and save."""
        self._stopped = True
        if self._started is not None:
            self.save()

    def _snapshot(self) -> dict[str, object]:
        return self._restart.snapshot(*self.now, stopped=self._stopped)
