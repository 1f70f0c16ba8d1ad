"""The node: everything composed, driven by whatever the source gives.

One thread, one loop: a block or a second of deafness comes in, the pipeline judges what it completes, and what follows
(event into the durable outbox, messages, evidence, service manager) is done before the next one is taken. PortAudio's
and paho's threads stay inside capture and link.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any, Protocol

from leakear.edge import vitals
from leakear.edge.decision import DecisionRule, State, rule_from
from leakear.edge.errors import ConfigError, ModelError
from leakear.edge.evidence import Evidence
from leakear.edge.memory import Memory
from leakear.edge.messages import Availability, Event, ModelRef, utc_text
from leakear.edge.messages import State as StateMessage
from leakear.edge.model import Model
from leakear.edge.mqtt import Link
from leakear.edge.notify import Notifier
from leakear.edge.outbox import Outbox
from leakear.edge.pipeline import Pipeline, Result
from leakear.edge.reports import Speaker, spectrum
from leakear.edge.settings import Settings
from leakear.edge.windows import Block, SensorFault

log = logging.getLogger("leakear.node")

STATE_EVERY_S = 60.0
"""s; the retained state is said again this often, so that a watcher can tell a stale node"""
SAVE_EVERY_S = 600.0
"""s between writes of the node's memory while nothing happens: an SD card wears"""
ALERTS = (State.WARNING, State.LEAK)


class TimeKeeper(Protocol):
    """What tells whether the wall clock can be believed (`clock.Clock`, or a replay's fixed answer)."""

    @property
    def faults(self) -> Mapping[str, str]:
        """Name → sentence, of what is wrong with the time."""

    def look(self) -> bool:
        """Return whether the clock is synchronised."""


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
        self.speaker = Speaker.of(settings.node.identity, model.info, self.pipeline.step_s)
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
        self.staged: ModelRef | None = None
        """a verified model that waits to be installed"""
        self.starters: list[Callable[[], None]] = []
        """called once, when the first item has told the time"""
        self.stopping = False
        self.capture_counts: Callable[[], dict[str, int]] = dict
        """counters of a live capture: overruns"""
        self.clock = clock
        self._since_utc = 0.0
        self._faults: tuple[str, ...] = ()
        self._due = {"telemetry": 0.0, "state": 0.0, "save": 0.0}
        self.started: float | None = None
        """monotonic s of the first item"""
        self.now = (0.0, 0.0)
        """monotonic and UTC of the newest item, s"""
        self.workload = vitals.Workload()
        """work and sound since the last telemetry"""
        self._progress = 0.0  # monotonic s at which the pipeline last came to a result

    # ---- the loop

    def run(self, source: Iterable[Block | SensorFault], *, live: Callable[[], float] | None = None) -> None:
        """Take items until the source ends or `stopping` is set. `live`: the monotonic clock of a live source."""
        self._open()
        for item in source:
            self.take(item, live() if live else None)
            if self.stopping:
                break
        self.close()

    def take(self, item: Block | SensorFault, now: float | None = None) -> None:
        """Take one item and do everything that follows from it."""
        if self.started is None:
            self._start(item)
        self.now = (item.monotonic, item.utc)
        while self.starters:
            self.starters.pop()()
        with self.workload.of(item, self.model.info.spec.sample_rate):
            self._hear(item, now)
            if self.link:
                self.link.pump()
        self._tick(item.monotonic)
        self._feed_watchdog()

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

    def _start(self, item: Block | SensorFault) -> None:
        """Go on where the last run ended, as far as the clocks can tell how long ago that was."""
        self.started = self._progress = item.monotonic
        self._since_utc = item.utc
        saved = self.outbox.load_state()
        if not saved:
            return
        try:
            gap_s = max(0.0, item.utc - float(saved["utc"]))
            self.pipeline.restore(saved["pipeline"], item.monotonic, gap_s)
            self._since_utc = float(saved["since_utc"])
            self._faults = tuple(map(str, saved["faults"]))  # what was already told is not told again
        except (KeyError, TypeError, ValueError) as error:
            log.warning("the node's memory of its last run is unusable (%s): it starts anew", error)

    def _open(self) -> None:
        """Recall what was set from afar and appear on the network."""
        saved = self.outbox.load_state().get("memory", {})
        self.memory = Memory.recall(saved)
        if self.memory.step_s is not None:
            self._recall_step()
        self._apply_threshold()
        if self.link:
            self.link.retain("availability", Availability.ONLINE.to_json())
            self.link.start()
        self.notifier.ready()

    def _recall_step(self) -> None:
        try:
            self.refit()
        except ConfigError as error:
            log.warning("the step that was set from afar no longer fits (%s): the configured one is used", error)
            self.memory.step_s = None

    def _follow(self, result: Result) -> None:
        """Tell the world what a result means, alerts first."""
        self.last = result
        self._progress = self.now[0]
        event = self._event(result)
        if event:
            self._since_utc = result.end_utc if event.kind == "state" else self._since_utc
            event = self.outbox.put(event, self._state_to_keep())  # both or neither survive a power cut
            self.send_state()
            log.warning("%s → %s: %s", event.from_state, event.to_state, event.reason)
            self._record(event, result)
        for observer in self.observers:
            observer(result, event)
        if result.window is not None:
            self.evidence.remember(result.window)
        self._watch(result)
        self._status_line(result)

    def _event(self, result: Result) -> Event | None:
        """Return the event of a change of state, else of a change of faults."""
        faults = self.faults
        came, went = set(faults) - set(self._faults), set(self._faults) - set(faults)
        self._faults = faults
        if result.transition:
            change = (result.transition.source.value, result.transition.target.value)
            return self._say("state", change, result.transition.reason, result, result.transition.target in ALERTS)
        if not came and not went:
            return None
        reason = "; ".join(
            f"{verb}: {', '.join(sorted(names))}" for verb, names in (("began", came), ("ended", went)) if names
        )
        return self._say("fault", (result.state.value, result.state.value), reason, result, keeps=False)

    def _say(self, kind: str, change: tuple[str, str], reason: str, result: Result, keeps: bool) -> Event:
        return self.speaker.event(
            kind,
            change,
            reason,
            result,
            synced=self.clock.look(),
            on_fraction=self.pipeline.decision.on_fraction,
            faults=self._faults,
            evidence=keeps and self.evidence.enabled,
        )

    def _record(self, event: Event, result: Result) -> None:
        if event.evidence and result.window is not None and result.spectrogram is not None:
            self.evidence.record(event.id, result.window, result.spectrogram)

    # ---- what is said between windows

    def _tick(self, now: float) -> None:
        for ticker in self.tickers:
            ticker(now)
        if now >= self._due["state"]:
            self.send_state()
        if now >= self._due["telemetry"]:
            self._due["telemetry"] = now + self.settings.node.telemetry_s
            self.send("telemetry", vitals.telemetry(self).to_json())
            self.workload = vitals.Workload()
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
            self.link.retain("state", self.state().to_json())

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
        return (*sensor, *self.outbox.faults, *link, *self.evidence.faults, *self.clock.faults)

    def state(self) -> StateMessage:
        """Return the state message."""
        said = self.speaker.state(
            self.pipeline.decision.state.value,
            self._since_utc,
            self.last,
            threshold=self.pipeline.decision.rule.threshold,
            faults=self.faults,
            muted_until=self.muted_until,
            synced=self.clock.look(),
            seq=self.outbox.last_seq,
            queue_depth=self.outbox.depth,
        )
        return replace(said, staged_model=self.staged)

    # ---- what may be changed while it runs

    def set_threshold(self, threshold: float, level_gate_dbfs: float | None = None) -> None:
        """Judge by another threshold (and level gate) from the next window on. Survives a restart."""
        self.memory.threshold = threshold
        self.memory.level_gate_dbfs = level_gate_dbfs or self.memory.level_gate_dbfs
        self._apply_threshold()
        self.save()
        self.send_state()

    def _apply_threshold(self) -> None:
        chosen = {"threshold": self.memory.threshold, "level_gate_dbfs": self.memory.level_gate_dbfs}
        given: dict[str, Any] = {key: value for key, value in chosen.items() if value is not None}
        self.pipeline.decision.rule = replace(self.rule, **given)

    def mute(self, until: float) -> None:
        """Note until when (s since 1970) alarms are muted: they still happen and are still told, marked as muted."""
        self.memory.muted_until = until
        self.save()
        self.send_state()

    @property
    def muted_until(self) -> float | None:
        """Until when alarms are muted, s since 1970; None when they are not, or no longer."""
        until = self.memory.muted_until
        return until if until is not None and until > self.now[1] else None

    def announce(self, kind: str, reason: str) -> None:
        """Tell an event that is no change of state (a model taken or given back)."""
        moment = self.last or Result(self.pipeline.decision.state, None, self.now[1], self.now[1])
        state = self.pipeline.decision.state.value
        self.outbox.put(self._say(kind, (state, state), reason, moment, keeps=False), self._state_to_keep())
        self.send_state()

    def refit(self, model: Model | None = None, step_s: float | None = None) -> None:
        """Go on with another model or step; what was heard so far stays known. Raises ConfigError, nothing changed."""
        settings, fresh = self.settings, model or self.model
        step_s = step_s or self.memory.step_s
        window = settings.window if step_s is None else replace(settings.window, step_s=step_s)
        rule = rule_from(fresh.info.decision, settings.decision)
        pipeline = Pipeline.of(fresh, rule, window, settings.health)
        pipeline.take_over(self.pipeline, self.now[0])
        if model is None:
            pipeline.model = self.pipeline.model  # it may be on trial
        self.memory.step_s, self.model, self.rule, self.pipeline = step_s, fresh, rule, pipeline
        self.speaker = Speaker.of(settings.node.identity, fresh.info, pipeline.step_s)
        self._apply_threshold()

    def apply(self, rule: DecisionRule) -> None:
        """Judge by another rule from the next window on (a reload, a calibration)."""
        rule.check_step(self.pipeline.step_s)
        self.rule = rule
        self._apply_threshold()

    def save(self) -> None:
        """Write the node's memory now."""
        self._due["save"] = self.now[0] + SAVE_EVERY_S
        self.outbox.save_state(self._state_to_keep(), at_once=True)

    def _state_to_keep(self) -> dict[str, Any]:
        return {
            "utc": self.now[1],
            "since_utc": self._since_utc,
            "faults": list(self._faults),
            "pipeline": self.pipeline.snapshot(),
            "memory": asdict(self.memory),
        }

    def close(self) -> None:
        """Stop cleanly: memory written, `offline` said."""
        self.notifier.stopping()
        if self.started is not None:
            self.save()
