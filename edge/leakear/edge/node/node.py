"""The node: the loop that turns what the source gives into events and messages.

One thread, one loop. For each item (a block of sound, or a second without sound) the detector returns the results of
the windows that it completes. For each result an event (if any) goes to the outbox, then messages, evidence and
systemd are updated, before the next item is taken. The threads of PortAudio and MQTT are hidden in capture and link.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.decision.observation import ALERTS
from leakear.edge.errors import ModelError
from leakear.edge.evidence.recorder import Evidence
from leakear.edge.messages.reports import Availability, Event, utc_text
from leakear.edge.mqtt.link import Link
from leakear.edge.node.detector import Detector
from leakear.edge.node.reload import Reloader
from leakear.edge.node.reporter import Reporter
from leakear.edge.node.restart import Restart
from leakear.edge.node.systemd import Notifier
from leakear.edge.outbox.queue import Outbox
from leakear.edge.pipeline import Result

log = logging.getLogger("leakear.node")
CHANGE = "%s → %s: %s"
"""log line of a change of state: from, to, reason"""


@dataclass(frozen=True)
class NodeParts:
    """Functions of other parts that the loop calls; given by `compose`. Fields are in the order of the calls."""

    starters: tuple[Callable[[], None], ...] = ()
    """called once, after the first item has set the time"""
    observers: tuple[Callable[[Result, Event | None], None], ...] = ()
    """called with every result and its event"""
    tickers: tuple[Callable[[float], None], ...] = ()
    """called after every item with its monotonic time, s"""
    listeners: tuple[Callable[[Block | SensorFault], None], ...] = ()
    """called with every item after it has been judged"""
    replace_model: Callable[[ModelError], bool] = lambda _: False
    """called when the model fails on a window; True: another model is in use now"""


class Node:
    """The main loop of the daemon: one sensor, one model, one node name."""

    def __init__(
        self,
        *,
        detector: Detector,
        reporter: Reporter,
        restart: Restart,
        reloader: Reloader,
        outbox: Outbox,
        link: Link | None,
        evidence: Evidence,
        notifier: Notifier,
        parts: NodeParts,
        max_lag_s: float,
    ) -> None:
        self.detector, self.reporter, self.reloader = detector, reporter, reloader
        self.outbox, self.link, self.evidence = outbox, link, evidence
        self._restart, self._notifier, self._parts = restart, notifier, parts
        self._max_lag_s = max_lag_s
        self._stopping = False
        self._progress = 0.0  # monotonic s at which the detector last came to a result

    @property
    def faults(self) -> Mapping[str, str]:
        """Name → sentence, of every fault that any part has now."""
        return self.reporter.faults

    # ---- the loop

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    def run(self, source: Iterable[Block | SensorFault], *, live: Callable[[], float] | None = None) -> None:
        """Take items until the source ends or `stop` is called. `live`: the monotonic clock of a live source."""
        self.open()
        self.listen(source, live=live)
        self.close()

    def listen(
        self,
        source: Iterable[Block | SensorFault],
        *,
        live: Callable[[], float] | None = None,
        over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take items until the source ends, `stop` is called, or `over` says so after an item."""
        for item in source:
            self.take(item, live() if live else None)
            if self._stopping or over():
                break

    def stop(self) -> None:
        """End `run` after the present item; a signal handler may call it."""
        self._stopping = True

    def open(self) -> None:
        """Restore what was set remotely and appear on the network."""
        self._restart.restore_remote()
        if self.link:
            self.link.retain("availability", Availability.ONLINE.to_json())
            self.link.start()
        self._notifier.ready()

    def take(self, item: Block | SensorFault, now: float | None = None) -> None:
        """Take one item and do everything that follows from it. `now`: monotonic clock of a live source, s."""
        self._set_time(item.monotonic, item.utc)
        with self.reporter.workload.of(item, self.detector.model.info.spec.sample_rate):
            self._detect(item, now)
            for listen in self._parts.listeners:
                listen(item)
            if self.link:
                self.link.pump()
        self._tick(item.monotonic)
        self._feed_watchdog()

    def idle(self, monotonic: float, utc: float) -> None:
        """Do what is due while no sound arrives (commands, messages). Does not feed the watchdog."""
        self._set_time(monotonic, utc)
        if self.link:
            self.link.pump()
        self._tick(monotonic)

    # ---- sleep between the listening hours

    def fall_asleep(self, until: float) -> None:
        """Say that the node sleeps until this time, s since 1970, and save. Messages still go out until `leave`."""
        self._tell(self.detector.pause(*self.reporter.now, until))  # no window: nobody has anything to observe
        self.reporter.asleep_until = until
        self.reporter.send_state()
        self.reporter.save()

    @property
    def delivered(self) -> bool:
        """Whether nothing waits for the broker."""
        return self.link is None or (self.link.idle is True and not self.outbox.depth)

    def leave(self, wakes_at: str) -> None:
        """Sign off at the broker. `wakes_at`: local time, for `systemctl status`."""
        if self.link:
            self.link.stop(Availability.ASLEEP)
        self._notifier.status(f"asleep until {wakes_at}")

    def rest(self) -> None:
        """Feed the watchdog during a sleep that was wanted."""
        self._notifier.alive()

    def wake(self) -> None:
        """Connect again and say that the node listens."""
        self.reporter.asleep_until = None
        self._progress = self.reporter.now[0]
        self.reporter.send_state()
        if self.link:
            self.link.wake()

    def close(self) -> None:
        """Stop cleanly and save the state; the link publishes `offline` when it is stopped."""
        self._notifier.stopping()
        self.reporter.stop()

    def _set_time(self, monotonic: float, utc: float) -> None:
        """Set the present time; at the first item restore the saved state and call the starters."""
        first = self.reporter.set_time(monotonic, utc)
        if first:
            self._progress = monotonic
            self._restart.restore(monotonic, utc)
        for reason in self.detector.take_notices():
            self.reporter.announce("model", reason)
        if first:
            for start in self._parts.starters:
                start()

    def _detect(self, item: Block | SensorFault, now: float | None) -> None:
        try:
            for result in self.detector.push(item, now):
                self._follow(result)
        except ModelError as error:
            if not self._parts.replace_model(error):
                raise

    def _feed_watchdog(self) -> None:
        """Notify systemd's watchdog, but only if the last result is recent: systemd restarts a blocked pipeline."""
        due_s = self.detector.pipeline.step_s + self.detector.model.info.spec.window_seconds + self._max_lag_s
        if self.reporter.now[0] - self._progress <= due_s:
            self._notifier.alive()

    def _follow(self, result: Result) -> None:
        """Handle one result: event first, then observers, evidence, spectrum and status line."""
        event = self._tell(result)
        for observe in self._parts.observers:
            observe(result, event)
        if result.window is not None:
            self.evidence.remember(result.window)
        self.reporter.send_spectrum(result)
        self._status_line(result)

    def _tell(self, result: Result) -> Event | None:
        """Store the event of a result; None: nothing changed."""
        self._progress = self.reporter.now[0]
        event = self.reporter.report(result)
        if event is None:
            return None
        log.warning(CHANGE, event.from_state, event.to_state, event.reason)
        return self._record(event, result)

    def _record(self, event: Event, result: Result) -> Event:
        """Keep the sound of an alert; once it is on the disk the event, still unsent, is amended to say so."""
        change = result.transition
        alert = change is not None and change.target in ALERTS and not change.again
        if not alert or result.window is None or result.spectrogram is None:
            return event
        if not self.evidence.record(event.id, result.window, result.spectrogram):
            return event
        kept = replace(event, evidence=True)
        return kept if self.outbox.amend(kept) else event

    def _tick(self, now: float) -> None:
        if self._restart.restore_late(now):
            self.reporter.save()
            self.reporter.send_state()
        self.reloader.reload_if_asked()
        for tick in self._parts.tickers:
            tick(now)
        self.reporter.send_due()

    def _status_line(self, result: Result) -> None:
        score = "not judged" if result.score is None else f"P(leak) {result.score:.2f}"
        self._notifier.status(
            f"{result.state.value}; window of {utc_text(result.end_utc)}: {score}; queue {self.outbox.depth}"
        )
