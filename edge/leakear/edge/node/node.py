"""The node: everything composed, driven by whatever the source gives.

One thread, one loop: a block or a second of deafness comes in, the pipeline judges what it completes, and what follows
(event into the durable outbox, messages, evidence, service manager) is done before the next one is taken. PortAudio's
and paho's threads stay inside capture and link. What is said stands in `news`, what survives a restart in `continuity`,
what may be changed meanwhile in `adjustments`.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import CaptureStatus
from leakear.edge.decision.state_machine import State, rule_from
from leakear.edge.errors import ModelError
from leakear.edge.evidence.recorder import Evidence
from leakear.edge.messages.reports import Availability, Event, ModelRef, utc_text
from leakear.edge.model.tflite import Model
from leakear.edge.mqtt.link import Link
from leakear.edge.node import restart, telemetry
from leakear.edge.node.events import News
from leakear.edge.node.remote_settings import Memory
from leakear.edge.node.reports import spectrum
from leakear.edge.node.restart_count import Lives
from leakear.edge.node.systemd import Notifier
from leakear.edge.outbox.queue import Outbox
from leakear.edge.pipeline import Pipeline, Result
from leakear.edge.settings import Settings

log = logging.getLogger("leakear.node")

STATE_EVERY_S = 60.0
"""s; the retained state is said again this often, so that a watcher can tell a stale node"""
ALERTS = (State.WARNING, State.LEAK)


class TimeKeeper(Protocol):
    """What tells whether the wall clock can be believed (`clock.Clock`, or a replay's fixed answer)."""

    @property
    def faults(self) -> Mapping[str, str]:
        """Name → sentence, of what is wrong with the time."""

    def look(self) -> bool:
        """Return whether the clock is synchronised."""

    def boot(self) -> tuple[str, float] | None:
        """Name this boot of the machine and the seconds since it; None: recordings tell the time, and are believed."""


class Node:
    """One sensor, one model, one identity."""

    def __init__(
        self,
        settings: Settings,
        model: Model,
        outbox: Outbox,
        link: Link | None,
        *,
        clock: "TimeKeeper",
        notifier: Notifier | None = None,
    ) -> None:
        self.settings = settings
        self.model = model
        self.outbox = outbox
        self.link = link
        self.notifier = notifier or Notifier()
        self.memory = Memory()
        self.rule = rule_from(model.info.decision, settings.decision)
        self.pipeline = Pipeline.of(model, self.rule, settings.window, settings.health)
        self.evidence = Evidence(settings.evidence, model.info.spec, settings.node.directory / "evidence")
        self.news = News(self)
        """what is said of it all"""
        self.last: Result | None = None
        """the newest result, for commands and telemetry"""
        self.watched_until = 0.0
        """s, monotonic; spectra are published until then"""
        self.observers: list[Callable[[Result, Event | None], None]] = []
        """called with every result (replay prints, calibration learns)"""
        self.tickers: list[Callable[[float], None]] = []
        """called after every item with the monotonic time (commands)"""
        self.rescue: Callable[[ModelError], bool] = lambda _: False
        """called when the model fails on a window; True: another one took its place"""
        self.lives = Lives()
        """this run, and those before it that ended soon"""
        self.closed = False
        """whether it was stopped, rather than cut off"""
        self.further_faults: list[Mapping[str, str]] = [self.lives.faults]
        """name → sentence, of parts that have no other way to be heard"""
        self.staged: ModelRef | None = None
        """a verified model that waits to be installed"""
        self.starters: list[Callable[[], None]] = []
        """called once, when the first item has told the time"""
        self.stopping = False
        self.capture: CaptureStatus | None = None
        """of a live microphone"""
        self.clock = clock
        self._due = {"telemetry": 0.0, "state": 0.0, "save": 0.0}
        self.started: float | None = None
        """monotonic s of the first item"""
        self.now = (0.0, 0.0)
        """monotonic and UTC of the newest item, s"""
        self.workload = telemetry.Workload()
        """work and sound since the last telemetry"""
        self._progress = 0.0  # monotonic s at which the pipeline last came to a result

    # ---- the loop

    def run(self, source: Iterable[Block | SensorFault], *, live: Callable[[], float] | None = None) -> None:
        """Take items until the source ends or `stopping` is set. `live`: the monotonic clock of a live source."""
        self.open()
        for item in source:
            self.take(item, live() if live else None)
            if self.stopping:
                break
        self.close()

    def take(self, item: Block | SensorFault, now: float | None = None) -> None:
        """Take one item and do everything that follows from it."""
        self._at(item.monotonic, item.utc)
        with self.workload.of(item, self.model.info.spec.sample_rate):
            self._hear(item, now)
            if self.link:
                self.link.pump()
        self._tick(item.monotonic)
        self._feed_watchdog()

    def idle(self, monotonic: float, utc: float) -> None:
        """Keep up with the world while nothing is heard: an open and silent device must not delay it. Feeds nothing."""
        self._at(monotonic, utc)
        if self.link:
            self.link.pump()
        self._tick(monotonic)

    def _at(self, monotonic: float, utc: float) -> None:
        """Note the time; the first time that is told ends the start."""
        self.now = (monotonic, utc)
        if self.started is None:
            self.started = self._progress = monotonic
            restart.go_on(self, monotonic, utc)
        while self.starters:
            self.starters.pop()()

    def _hear(self, item: Block | SensorFault, now: float | None) -> None:
        try:
            for result in self.pipeline.push(item, now):
                self._follow(result)
        except ModelError as error:
            if not self.rescue(error):
                raise

    def _feed_watchdog(self) -> None:
        """Sound alone is not life: it must have led to a judgement, or to a reported fault, when one was due."""
        due_s = self.pipeline.step_s + self.model.info.spec.window_seconds + self.settings.window.max_lag_s
        if self.now[0] - self._progress <= due_s:
            self.notifier.alive()

    def open(self) -> None:
        """Recall what was set from afar and appear on the network."""
        restart.recall(self)
        if self.link:
            self.link.retain("availability", Availability.ONLINE.to_json())
            self.link.start()
        self.notifier.ready()

    def _follow(self, result: Result) -> None:
        """Tell the world what a result means, alerts first."""
        self.last = result
        self._progress = self.now[0]
        event = self.news.of(result)
        if event:
            event = self.outbox.put(event, restart.snapshot(self))  # both or neither survive a power cut
            self.send_state()
            log.warning("%s → %s: %s", event.from_state, event.to_state, event.reason)
            event = self._record(event, result)
        for observer in self.observers:
            observer(result, event)
        if result.window is not None:
            self.evidence.remember(result.window)
        self._watch(result)
        self._status_line(result)

    def _record(self, event: Event, result: Result) -> Event:
        """Keep what an alert sounded like; only once it is on the disk does the event, still unsent, say so."""
        change = result.transition
        alert = change is not None and change.target in ALERTS and not change.again
        if not alert or result.window is None or result.spectrogram is None:
            return event
        if not self.evidence.record(event.id, result.window, result.spectrogram):
            return event
        kept = replace(event, evidence=True)
        return kept if self.outbox.amend(kept) else event

    # ---- what is said between windows

    def _tick(self, now: float) -> None:
        restart.recall_late(self)
        for ticker in self.tickers:
            ticker(now)
        if now >= self._due["state"]:
            self.send_state()
        if now >= self._due["telemetry"]:
            self._due["telemetry"] = now + self.settings.node.telemetry_s
            self.send("telemetry", telemetry.telemetry(self).to_json())
            self.workload.begin()
        if now >= self._due["save"]:
            self.save()

    def send(self, suffix: str, payload: bytes, qos: int = 0) -> None:
        """Publish under this node's topic; without a broker nothing happens."""
        if self.link:
            self.link.send(suffix, payload, qos)

    def send_state(self) -> None:
        """Say what holds now."""
        self._due["state"] = self.now[0] + STATE_EVERY_S
        if self.link:
            self.link.retain("state", self.news.state().to_json())

    def _watch(self, result: Result) -> None:
        if self.now[0] < self.watched_until and result.spectrogram is not None:
            self.send("spectrum", spectrum(result.spectrogram, self.model.info.spec, result.end_utc).to_json())

    def _status_line(self, result: Result) -> None:
        score = "not judged" if result.score is None else f"P(leak) {result.score:.2f}"
        self.notifier.status(
            f"{result.state.value}; window of {utc_text(result.end_utc)}: {score}; queue {self.outbox.depth}"
        )

    @property
    def faults(self) -> tuple[str, ...]:
        """Every named fault that holds now, of the sensor and of delivery."""
        sensor = self.last.faults if self.last else ()
        link = self.link.faults if self.link else ()
        further = (name for faults in self.further_faults for name in faults)
        return (*sensor, *self.outbox.faults, *link, *self.evidence.faults, *self.clock.faults, *further)

    @property
    def muted_until(self) -> float | None:
        """Until when alarms are muted, s since 1970; None when they are not, or no longer."""
        until = self.memory.muted_until
        return until if until is not None and until > self.now[1] else None

    def announce(self, kind: str, reason: str) -> None:
        """Tell an event that is no change of state (a model taken or given back)."""
        moment = self.last or Result(self.pipeline.decision.state, None, self.now[1], self.now[1])
        state = self.pipeline.decision.state.value
        self.outbox.put(self.news.event(kind, (state, state), reason, moment), restart.snapshot(self))
        self.send_state()

    def save(self) -> None:
        """Write the node's memory now."""
        self._due["save"] = self.now[0] + self.lives.save_every_s(self.now[0])
        self.outbox.save_state(restart.snapshot(self), at_once=True)

    def close(self) -> None:
        """Stop cleanly: memory written, `offline` said."""
        self.notifier.stopping()
        self.closed = True
        if self.started is not None:
            self.save()
