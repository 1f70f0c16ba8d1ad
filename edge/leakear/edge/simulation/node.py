"""A simulated node: outbox, link, messages, discovery and commands are real, the sound is not."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leakear.edge.messages.reports import Identity, Spectrum, State, Telemetry, utc_now
from leakear.edge.mqtt.homeassistant import Discovery, HomeassistantOptions
from leakear.edge.mqtt.link import Link
from leakear.edge.mqtt.options import MqttOptions
from leakear.edge.outbox.queue import Outbox, OutboxOptions
from leakear.edge.remote.resend import Resender
from leakear.edge.simulation.character import FIRMWARE, STATE_EVERY_S, WINDOW_S, Character, Delivery
from leakear.edge.simulation.handlers import SimulatedControls


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


class SimulatedNode(Character):
    """One node; `step` is called often, on the main thread."""

    def __init__(self, identity: Identity, options: FleetOptions, folder: Path, seed: int) -> None:
        super().__init__(identity, random.Random(seed))
        self.options = options
        self.outbox = Outbox(folder / f"{identity.node}.db", OutboxOptions())
        self._watched_until = 0.0  # s, monotonic
        self.now = self._started = 0.0
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
        return self.state_of(self._delivery)

    def telemetry_message(self) -> Telemetry:
        """Return the telemetry message."""
        return self.telemetry_of(self._delivery, self.now - self._started)

    @property
    def _delivery(self) -> Delivery:
        outbox, link = self.outbox, self.link
        return Delivery(outbox.last_seq, outbox.depth, outbox.bytes, link.reconnects, link.certificate_expires)

    def _event(self, now: float) -> None:
        self._due[self._event] = now + self._random.expovariate(1 / self.options.event_every_s)
        self.outbox.put(self.change())
        self.send_state()

    def _night(self, now: float) -> None:
        """Report the last night that is over, once."""
        self._due[self._night] = now + STATE_EVERY_S
        day = self.last_night()
        if self.outbox.recall("night") != day.isoformat():
            self.outbox.put(self.night(day))
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
        self.windows += 1
        if now < self._watched_until:
            level = self.measured()[1] or -100.0
            bands = tuple(round(level - 20 - band / 2 + self._random.gauss(0, 2), 1) for band in range(64))
            self.link.send("spectrum", Spectrum(time=utc_now(), low_hz=0.0, high_hz=11025.0, db=bands).to_json())
