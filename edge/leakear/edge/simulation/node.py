"""A simulated node: outbox, link, messages, discovery and commands are real, the sound is not.

It changes its state at random, with scores and levels to match. Model and firmware say that it is simulated.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from leakear.edge import __version__
from leakear.edge.decision.learning import NIGHTS_TO_BACKGROUND
from leakear.edge.messages.nights import Night
from leakear.edge.messages.reports import (
    Event,
    Identity,
    Learning,
    ModelRef,
    Spectrum,
    State,
    Telemetry,
    utc_now,
    utc_text,
    uuid7,
)
from leakear.edge.mqtt.homeassistant import Discovery, HomeassistantOptions
from leakear.edge.mqtt.link import Link
from leakear.edge.mqtt.options import MqttOptions
from leakear.edge.outbox.queue import Outbox, OutboxOptions
from leakear.edge.remote.resend import Resender
from leakear.edge.simulation.handlers import SimulatedControls

MODEL = ModelRef(id="simulated", sha256="0" * 64)
FIRMWARE = f"{__version__} simulated"
STATE_EVERY_S = 60.0
WINDOW_S = 10.0
NEXT = {
    "OK": ("WARNING", "WARNING", "NOISY", "SENSOR_FAULT"),
    "WARNING": ("LEAK", "OK"),
    "LEAK": ("OK",),
    "NOISY": ("OK",),
    "SENSOR_FAULT": ("OK",),
}
LIMIT_DB = 3.0
MEANS = {"OK": (0.05, -62.0), "WARNING": (0.85, -50.0), "LEAK": (0.96, -47.0), "NOISY": (0.5, -30.0)}
"""state → score and level, dBFS; a node without sound has neither"""


@dataclass(frozen=True)
class FleetOptions:
    """What a simulated fleet does."""

    mqtt: MqttOptions
    event_every_s: float
    """mean time between the events of one node, s"""
    telemetry_every_s: float
    introduce: bool
    """whether the nodes send Home Assistant's discovery message"""
    drain_s: float = 30.0
    """longest wait at the end for the broker's acknowledgements, s"""


class SimulatedNode:
    """One node; `step` is called often, on the main thread."""

    def __init__(self, identity: Identity, options: FleetOptions, folder: Path, seed: int) -> None:
        self.identity, self.options = identity, options
        self.outbox = Outbox(folder / f"{identity.node}.db", OutboxOptions())
        self.state, self.since = "OK", utc_now()
        self.threshold, self.step_s = 0.5, WINDOW_S
        self.muted_until: str | None = None
        self._watched_until = 0.0  # s, monotonic
        self.now = self._started = 0.0
        self._windows = 0
        self._random = random.Random(seed)
        self._drift = self._random.gauss(0, 4)
        self._nights = self._random.randint(0, 30)
        self._due: dict[Callable[[float], None], float] = {}
        self.link = Link(options.mqtt, identity, self.outbox)
        controls = SimulatedControls(self, self.link.send, Resender(self.outbox, self.link))
        self.link.on_command, self._resend = controls.dispatcher.handle, controls.resender.tick

    def start(self, now: float) -> None:
        """Appear on the network."""
        self.now = self._started = now
        spread = self._random.random
        self._due = {
            self._event: now + self._random.expovariate(1 / self.options.event_every_s),
            self._telemetry: now + spread() * self.options.telemetry_every_s,
            self._state: now + spread() * STATE_EVERY_S,
            self._window: now + spread() * WINDOW_S,
            self._night: now + spread() * STATE_EVERY_S,
        }
        self.link.retain("state", self.state_message().to_json())
        if self.options.introduce:
            discovery = Discovery(self.identity, HomeassistantOptions(), FIRMWARE, self.options.telemetry_every_s)
            self.link.retain_topic(discovery.topic, discovery.payload())
        self.link.start()

    def step(self, now: float) -> None:
        """Send and receive messages, and do what is due."""
        self.now = now
        self.link.pump()
        self._resend(now)
        for act, due in list(self._due.items()):
            if now >= due:
                act(now)

    def stop(self) -> None:
        """Disconnect; what no broker has taken stays in the outbox."""
        self.link.stop()
        self.outbox.close()

    def state_message(self) -> State:
        """Return the state message."""
        score, level = self.measured()
        return State(
            site=self.identity.site,
            node=self.identity.node,
            state=self.state,
            since=self.since,
            score=score,
            level_dbfs=level,
            noise_floor_dbfs=None if level is None else level - 6,
            faults=("no_frames",) if self.state == "SENSOR_FAULT" else (),
            threshold=self.threshold,
            limit_db=self._limit_db,
            learning=self._learning,
            muted_until=self.muted_until,
            model=MODEL,
            firmware=FIRMWARE,
            window_end=utc_now(),
            window_s=WINDOW_S,
            step_s=self.step_s,
            clock_synced=True,
            seq=self.outbox.last_seq,
            queue_depth=self.outbox.depth,
        )

    def telemetry_message(self) -> Telemetry:
        """Return the telemetry message."""
        score, level = self.measured()
        windows = self._windows
        return Telemetry(
            time=utc_now(),
            uptime_s=round(self.now - self._started, 1),
            level_dbfs=level,
            noise_floor_dbfs=None if level is None else level - 6,
            noise_floor_drift_db=round(self._random.gauss(0, 0.5), 2),
            score=score,
            windows_produced=windows,
            windows_scored=windows,
            windows_discarded=0,
            windows_dropped=0,
            overruns=0,
            reconnects=self.link.reconnects,
            real_time_factor=0.01,
            queue_depth=self.outbox.depth,
            queue_bytes=self.outbox.bytes,
            temperature_c=round(40 + self._drift, 1),
            disk_free_bytes=8 * 10**9,
            rss_bytes=90 * 10**6,
            certificate_expires=self.link.certificate_expires,
            clock_synced=True,
            limit_db=self._limit_db,
            learning=self._learning,
        )

    @property
    def _learning(self) -> Learning:
        ready = self._nights >= NIGHTS_TO_BACKGROUND
        return Learning(background_ready=ready, nights_known=self._nights, may_say="all" if ready else "strong leaks")

    @property
    def _limit_db(self) -> float | None:
        return LIMIT_DB if self._nights >= NIGHTS_TO_BACKGROUND else None

    def measured(self) -> tuple[float | None, float | None]:
        """Score and level (dBFS) of this moment; None for both during a sensor fault."""
        if self.state == "SENSOR_FAULT":
            return None, None
        score, level = MEANS[self.state]
        wander = self._random.gauss
        return round(min(max(wander(score, 0.03), 0), 1), 3), round(level + self._drift + wander(0, 1), 2)

    def _event(self, now: float) -> None:
        self._due[self._event] = now + self._random.expovariate(1 / self.options.event_every_s)
        before, self.state = self.state, self._random.choice(NEXT[self.state])
        moment = time.time()
        self.since = utc_text(moment)
        self.outbox.put(self._event_of("state", before, "A simulated change of state.", moment))
        self.send_state()

    def _event_of(self, kind: str, before: str, reason: str, moment: float) -> Event:
        score, level = self.measured()
        return Event(
            id=uuid7(),
            seq=0,
            site=self.identity.site,
            node=self.identity.node,
            kind=kind,
            from_state=before,
            to_state=self.state,
            reason=reason,
            window_start=utc_text(moment - WINDOW_S),
            window_end=utc_text(moment),
            clock_synced=True,
            score=score,
            level_dbfs=level,
            model=MODEL,
        )

    def _night(self, now: float) -> None:
        """Report the last night that is over (02:00 to 04:00 UTC), once."""
        self._due[self._night] = now + STATE_EVERY_S
        day = datetime.fromtimestamp(time.time() - 4 * 3600, UTC).date()
        if self.outbox.recall("night") == day.isoformat():
            return
        midnight = datetime.combine(day, datetime.min.time(), UTC).timestamp()
        level, counts = round(self.measured()[1] or -62.0), sorted(self._random.choices(range(4), k=720))
        night = Night(
            date=day.isoformat(),
            hours="02:00-04:00",
            judged=1.0,
            level_dbfs=float(level),
            spread_db=2.7,
            steadiness=0.6,
            hz=630.0,
            histogram_from_dbfs=level,
            histogram=tuple(counts.count(db) for db in range(4)),
        )
        self.outbox.put(
            replace(self._event_of("night", self.state, "A simulated night.", midnight + 4 * 3600), night=night)
        )
        self.outbox.remember("night", day.isoformat())

    def watch(self, seconds: float) -> None:
        """Publish the spectrum of every window for some seconds."""
        self._watched_until = self.now + seconds

    def send_state(self) -> None:
        """Publish the state now."""
        self._due[self._state] = self.now + STATE_EVERY_S
        self.link.retain("state", self.state_message().to_json())

    def _state(self, _: float) -> None:
        self.send_state()

    def _telemetry(self, now: float) -> None:
        self._due[self._telemetry] = now + self.options.telemetry_every_s
        self.link.send("telemetry", self.telemetry_message().to_json())

    def _window(self, now: float) -> None:
        self._due[self._window] = now + self.step_s
        self._windows += 1
        if now < self._watched_until:
            level = self.measured()[1] or -100.0
            bands = tuple(round(level - 20 - band / 2 + self._random.gauss(0, 2), 1) for band in range(64))
            self.link.send("spectrum", Spectrum(time=utc_now(), low_hz=0.0, high_hz=11025.0, db=bands).to_json())
