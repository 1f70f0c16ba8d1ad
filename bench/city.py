"""A city for benchmarks, made from a seed: nodes, positions and events in the database, states at the broker."""

import json
import math
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import Engine, insert

from leakear.dashboard.history.tables import events, nights, nodes, samples
from leakear.dashboard.map.tables import positions
from leakear.edge.messages.reports import Availability, Identity, ModelRef, State, utc_text, uuid7

MODEL = ModelRef(id="factory-2026.11", sha256="0" * 64)
PER_SITE = 50
SHARES = {"LEAK": 0.002, "WARNING": 0.004, "NOISY": 0.01, "SENSOR_FAULT": 0.01}
EVENTS, OPEN = 10, 0.01
"""stored events of a node, and the share of them that are alerts nobody has acknowledged"""
HOURS, MINUTES, NIGHTS = 8, 5, 3
"""stored sums and nights of a node"""
BATCH = 2000
DAY = 86400.0


def names(count: int) -> list[Identity]:
    """Return the names of the nodes."""
    return [Identity(f"district-{n // PER_SITE:04}", f"ear-{n:06}") for n in range(count)]


def states(count: int) -> list[State]:
    """Return what each node reports now."""
    chance, now = random.Random(1), time.time()
    return [
        State(
            site=who.site, node=who.node, state=_state(chance), since=utc_text(now - chance.uniform(0, 5 * DAY)),
            score=round(chance.random() * 0.4, 3), level_dbfs=round(chance.gauss(-60, 4), 2), noise_floor_dbfs=-70.0,
            faults=(), threshold=0.5, muted_until=None, model=MODEL, firmware="0.2", window_end=utc_text(now),
            window_s=10, step_s=10, clock_synced=True, seq=EVENTS, queue_depth=0,
        )
        for who in names(count)
    ]  # fmt: skip


def _state(chance: random.Random) -> str:
    drawn = chance.random()
    for name, share in SHARES.items():
        drawn -= share
        if drawn < 0:
            return name
    return "OK"


def fill(engine: Engine, count: int) -> None:
    """Store nodes, their positions, events of 30 days, hours, minutes and nights."""
    chance, now = random.Random(2), time.time()
    side = math.ceil(math.sqrt(count))
    everyone = list(enumerate(names(count)))
    for start in range(0, count, BATCH):
        part = everyone[start : start + BATCH]
        known = [{"site": w.site, "node": w.node, "first_seen": now - 90 * DAY, "last_seen": now, "last_seq": EVENTS,
                  "gaps": "[]"} for _, w in part]  # fmt: skip
        placed = [
            {"site": w.site, "node": w.node, "longitude": -46.8 + 0.4 * (n % side) / side,
             "latitude": -23.7 + 0.3 * (n // side) / side, "accuracy": None, "source": "csv", "changed": now,
             "changed_by": "bench"} for n, w in part
        ]  # fmt: skip
        said = [row for _, who in part for row in events_of(who, chance, now)]
        heard = [row for _, who in part for row in (*_sums(who, now, 3600, HOURS), *_sums(who, now, 60, MINUTES))]
        slept = [row for _, who in part for row in _nights(who, now)]
        with engine.begin() as connection:
            for table, rows in (
                (nodes, known), (positions, placed), (events, said), (samples, heard), (nights, slept),
            ):  # fmt: skip
                connection.execute(insert(table), rows)


def events_of(who: Identity, chance: random.Random, now: float) -> Iterator[dict[str, Any]]:
    """Yield the stored events of a node over 30 days."""
    times = sorted(now - chance.uniform(0, 30 * DAY) for _ in range(EVENTS))
    for seq, at in enumerate(times, 1):
        alert = chance.random() < 0.05
        acknowledged = None if chance.random() < OPEN / 0.05 else at + 600
        before, after = ("WARNING", "LEAK") if alert else ("OK", "WARNING")
        yield {
            "id": uuid7(at), "site": who.site, "node": who.node, "seq": seq, "kind": "state", "from_state": before,
            "to_state": after, "reason": "A sound that stays.", "window_start": at - 10, "window_end": at,
            "happened": at, "received": at, "clock_synced": True, "score": 0.9, "on_fraction": 0.9, "level": -50.0,
            "faults": "[]", "model": MODEL.id, "model_sha256": MODEL.sha256, "evidence": False, "dropped": 0,
            "alert": alert, "acknowledged": acknowledged if alert else None,
        }  # fmt: skip


def _sums(who: Identity, now: float, seconds: int, count: int) -> Iterator[dict[str, Any]]:
    over = int(now // seconds) * seconds
    for start in range(over - count * seconds, over, seconds):
        yield {
            "site": who.site, "node": who.node, "seconds": seconds, "start": start, "score_n": 60, "score_sum": 6.0,
            "score_max": 0.3, "level_n": 60, "level_sum": -3600.0, "level_min": -70.0, "level_max": -50.0,
            "floor_n": 60, "floor_sum": -4200.0,
        }  # fmt: skip


def _nights(who: Identity, now: float) -> Iterator[dict[str, Any]]:
    today = datetime.fromtimestamp(now, UTC).toordinal()
    for ago in range(NIGHTS):
        last = now - ago * DAY
        yield {
            "site": who.site, "node": who.node, "day": today - ago, "event_id": uuid7(last), "hours": "01:00-05:00",
            "first": last - 14400, "last": last, "judged": 1.0, "level": -62.0, "spread": 1.0, "steadiness": 0.5,
            "hz": 300.0, "excess": 0.0, "limit_db": 6.0, "histogram_from": None, "histogram": "[]",
        }  # fmt: skip


class Speaker:
    """One connection that speaks for all nodes."""

    def __init__(self, port: int, count: int) -> None:
        self._states = [json.loads(state.to_json()) for state in states(count)]
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "city", protocol=paho.MQTTv5)
        self._client.max_inflight_messages_set(1000)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._next = 0

    def introduce(self) -> None:
        """Publish state and availability of each node, retained."""
        for number, state in enumerate(self._states):
            self._say(state, "availability", Availability.ONLINE.to_json())
            sent = self._say(state, "state", json.dumps(state | {"window_end": utc_text(time.time())}).encode())
            if number % 1000 == 999 or number == len(self._states) - 1:
                sent.wait_for_publish(300)  # paho numbers no more than 65,535 at a time

    def speak(self, rate: float, seconds: float) -> int:
        """Publish `rate` states a second, the nodes in turn; return how many."""
        began, said = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            while said < passed * rate:
                state = self._states[self._next % len(self._states)]
                self._next += 1
                said += 1
                self._say(state, "state", json.dumps(state | {"window_end": utc_text(time.time())}).encode(), qos=0)
            time.sleep(0.01)
        return said

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _say(self, state: dict[str, Any], suffix: str, payload: bytes, qos: int = 1) -> paho.MQTTMessageInfo:
        return self._client.publish(f"leakear/{state['site']}/{state['node']}/{suffix}", payload, qos, retain=True)
