"""One process of a simulated city."""

import os
import resource
import signal
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from leakear.edge.messages.reports import Identity
from leakear.edge.simulation.city import City, CityOptions
from leakear.edge.simulation.gateway import Gateway
from leakear.edge.simulation.node import FleetOptions

PAUSE_S = 0.05
"""between two rounds over the connections"""
REPORT_S = 1.0


@dataclass(frozen=True)
class CityWork:
    """What one process does."""

    fleet: FleetOptions
    city: CityOptions
    connections: int
    seconds: float
    """0: until a signal"""
    seed: int
    ids: Path | None
    """file to which the ids of acknowledged events are added"""


def work_city(names: Sequence[Identity], given: CityWork, pipe: Connection) -> None:
    """Run the nodes of one process, then wait for the last acknowledgements."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    taken: deque[str] = deque()
    options = replace(given.fleet.mqtt)
    gateways = [
        Gateway(options, f"leakear-city-{os.getpid()}-{n}", taken.append) for n in range(given.connections)
    ]  # fmt: skip
    city = City(names, gateways, given.city, given.seed)
    ledger = _Ledger(city, gateways, taken, given.ids, pipe)
    began = time.monotonic()
    while not any(gateway.connected for gateway in gateways) and not stopping.is_set():
        _pump(gateways)
        if 0 < given.seconds <= time.monotonic() - began:
            break
    city.start(time.monotonic())
    while not stopping.is_set() and not 0 < given.seconds <= time.monotonic() - began:
        _pump(gateways)
        city.step(time.monotonic())
        ledger.report()
    city.leave()
    until = time.monotonic() + given.fleet.drain_s
    while any(gateway.depth for gateway in gateways) and time.monotonic() < until:
        _pump(gateways)
    ledger.report(last=True)
    for gateway in gateways:
        gateway.close()


def _pump(gateways: Sequence[Gateway]) -> None:
    now = time.monotonic()
    for gateway in gateways:
        gateway.pump(now)
    time.sleep(PAUSE_S)


class _Ledger:
    """Counts what was sent and what the broker has taken."""

    def __init__(
        self, city: City, gateways: Sequence[Gateway], taken: deque[str], ids: Path | None, pipe: Connection
    ) -> None:
        self._city, self._gateways, self._taken, self._ids, self._pipe = city, gateways, taken, ids, pipe
        self._known: set[str] = set()
        self._due = 0.0

    def report(self, *, last: bool = False) -> None:
        """Send the counts, at most once a second."""
        now = time.monotonic()
        if now < self._due and not last:
            return
        self._due = now + REPORT_S
        new = dict.fromkeys(self._taken.popleft() for _ in range(len(self._taken)))
        fresh = [event for event in new if event not in self._known]
        self._known.update(fresh)
        if self._ids and fresh:
            with self._ids.open("a") as file:  # whole lines: other processes add theirs
                file.write("".join(f"{event}\n" for event in fresh))
        usage = resource.getrusage(resource.RUSAGE_SELF)
        online = all(gateway.connected for gateway in self._gateways)
        self._pipe.send({
            "nodes": len(self._city), "online": len(self._city) if online else 0, "acknowledged": len(self._known),
            "reconnects": sum(max(gateway.reconnects, 0) for gateway in self._gateways),
            "waiting": self._city.waiting, "processor_ms": round(1000 * (usage.ru_utime + usage.ru_stime)),
            **self._city.sent,
        })  # fmt: skip
