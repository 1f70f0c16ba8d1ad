"""`make demo`: a broker, the real daemon replaying a simulated day, and a subscriber, all on this machine's loopback.

The day is sound, not messages: samples go through health, spectrogram, the factory model and the decision, and what is
printed came back over MQTT. Exit 0 when the states came as they should and nothing alarmed before the leak.
"""

import json
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from leakear.edge.messages.codec import MessageError
from leakear.edge.messages.reports import Event, Identity, State, parse_utc
from leakear.edge.simulation.demo_day import truth

EXPECTED = ["OK", "WARNING", "LEAK", "OK"]
START = "2026-11-22T12:00:00.000Z"
NODE = Identity("demo", "meter-pit")


class Watcher:
    """A subscriber that prints what the node publishes."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.alarms: list[float] = []
        """minutes of the day at which WARNING or LEAK came"""
        self.done = threading.Event()
        self.subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="demo-watcher")
        self._client.on_connect = lambda client, *_: client.subscribe(NODE.topic("#"), qos=1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._take

    def start(self, port: int) -> None:
        """Connect and subscribe."""
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not self.subscribed.wait(10):
            sys.exit("demo: the embedded broker did not answer within 10 s")

    def _take(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        with suppress(MessageError):
            if message.topic == NODE.topic("state"):
                self._state(State.from_json(bytes(message.payload)).state)
            elif message.topic == NODE.topic("event"):
                self._event(Event.from_json(bytes(message.payload)))
            elif message.topic == NODE.topic("availability"):
                print(f"  {'':5}  node is {message.payload.decode()}", flush=True)

    def _state(self, name: str) -> None:
        if not self.states:
            print(f"  00:00  {name:8} first state", flush=True)
        if not self.states or self.states[-1] != name:
            self.states.append(name)

    def _event(self, event: Event) -> None:
        minute = (parse_utc(event.window_end) - parse_utc(START)) / 60
        if event.to_state in ("WARNING", "LEAK"):
            self.alarms.append(minute)
        clock = str(timedelta(minutes=round(minute)))[:-3].zfill(5)
        score = "" if event.score is None else f", P(leak) {event.score:.2f}"
        print(f"  {clock}  {event.to_state:8} {event.reason}{score}", flush=True)

    def stop(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def free_port() -> int:
    """Return a loopback port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configuration(folder: Path, port: int) -> Path:
    path = folder / "leakear.toml"
    path.write_text(
        f'[node]\nsite = "{NODE.site}"\nname = "{NODE.node}"\nstate_dir = {json.dumps(str(folder / "state"))}\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        '[decision]\ntime_zone = "UTC"\n'
    )
    return path


def _print_the_day() -> None:
    names = {"quiet": "quiet", "tap": "a tap runs", "leak": "a leak"}
    print("The simulated day (hours:minutes), played as fast as this machine can:")
    for start, end, what in truth():
        clock = [str(timedelta(seconds=round(s)))[:-3].zfill(5) for s in (start, end)]
        print(f"  {clock[0]} to {clock[1]}  {names[what]}")
    print("What the node publishes over MQTT:", flush=True)


def _verdict(watcher: Watcher) -> int:
    leak_starts = next(start for start, _, what in truth() if what == "leak") / 60
    early = [minute for minute in watcher.alarms if minute < leak_starts]
    good = watcher.states == EXPECTED and not early
    print(f"states over MQTT: {' → '.join(watcher.states)}; alarms during tap use: {len(early)}")
    print("demo passed" if good else f"demo FAILED: expected {' → '.join(EXPECTED)} and no early alarm")
    return 0 if good else 1


def main() -> int:
    """Run the demonstration."""
    from iotcore import Broker

    port = free_port()
    with TemporaryDirectory(prefix="leakear-demo-") as folder, Broker(port=port, listen="127.0.0.1"):
        watcher = Watcher()
        watcher.start(port)
        _print_the_day()
        command = [sys.executable, "-m", "leakear.edge.cli", "replay", "--simulated-day", "--start", START]
        daemon = subprocess.run(
            [*command, "--config", str(_configuration(Path(folder), port))], check=False, capture_output=True, text=True
        )
        watcher.done.wait(0.5)  # what is on its way still comes
        watcher.stop()
    if daemon.returncode:
        print(f"{daemon.stderr}demo FAILED: the daemon ended with exit code {daemon.returncode}")
        return 1
    return _verdict(watcher)


if __name__ == "__main__":
    sys.exit(main())
