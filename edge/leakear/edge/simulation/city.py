"""A city: up to 100,000 simulated nodes in few processes. They share connections, so that one machine can carry them.

What a node says, and when, is as with a node of its own connection. What the broker does with each connection is not
tested: the last will of a district without power is sent by the simulation.
"""

import heapq
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from leakear.edge.messages.reports import Availability, Event, Identity
from leakear.edge.mqtt.refusals.backoff import Backoff
from leakear.edge.simulation.character import STATE_EVERY_S, Character, Delivery
from leakear.edge.simulation.gateway import Gateway

POWER, NETWORK = "power", "network"
BOOT_S = 5.0
"""seconds that a node needs after a power cut, before it first connects"""
EVENT, STATE, TELEMETRY, NIGHT, BACK = range(5)


@dataclass(frozen=True)
class CityOptions:
    """What happens in a city."""

    event_every_s: float = 60.0
    """mean time between the events of one node"""
    telemetry_every_s: float = 60.0
    night_within_s: float = 3600.0
    """within which all nodes report the last night; 0: none does"""
    outage_every_s: float = 0.0
    """between two outages, of power and of the network in turn; 0: none"""
    outage_s: float = 60.0
    outage_share: float = 0.1
    """share of the sites"""
    repeated_share: float = 0.0
    """share of the events that are sent twice"""
    twins_share: float = 0.0
    """share of the nodes of whose name there are two"""
    wrong_clock_share: float = 0.0
    """share of the nodes whose clock is wrong: every second of them knows it"""


@dataclass(slots=True)
class _Node:
    character: Character
    gateway: Gateway
    seq: int = 0
    started: bool = False
    out: str = ""
    """what it lacks: POWER, NETWORK or nothing"""
    waiting: list[Event] = field(default_factory=list)
    """events without a network"""


class City:
    """The nodes of one process. Times are monotonic seconds."""

    def __init__(self, names: Sequence[Identity], gateways: Sequence[Gateway], options: CityOptions, seed: int) -> None:
        self.sent: Counter[str] = Counter()
        """events put, nights among them, sent twice; states, telemetry, outages, nodes that came back"""
        self._options, self._chance = options, random.Random(seed)
        self._nodes = [_Node(self._character(n, who), gateways[n % len(gateways)]) for n, who in self._named(names)]
        self._sites: dict[str, list[int]] = {}
        for number, node in enumerate(self._nodes):
            self._sites.setdefault(node.character.identity.site, []).append(number)
        self._due: list[tuple[float, int, int]] = []
        self._began = self._next_outage = 0.0
        self._outages: list[tuple[float, str, list[int]]] = []

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def waiting(self) -> int:
        """Events of nodes without a network."""
        return sum(len(node.waiting) for node in self._nodes)

    def start(self, now: float) -> None:
        """Let all nodes appear, within the time between two states."""
        chance, options = self._chance, self._options
        self._began, self._next_outage = now, now + options.outage_every_s
        for number in range(len(self._nodes)):
            self._due.append((now + chance.uniform(0, STATE_EVERY_S), BACK, number))
            self._due.append((now + STATE_EVERY_S * chance.random(), TELEMETRY, number))
            self._due.append((now + chance.expovariate(1 / options.event_every_s), EVENT, number))
            if options.night_within_s:
                self._due.append((now + chance.uniform(0, options.night_within_s), NIGHT, number))
        heapq.heapify(self._due)

    def step(self, now: float) -> None:
        """Do what is due; called often."""
        if self._options.outage_every_s and now >= self._next_outage:
            self._next_outage += self._options.outage_every_s
            self._cut(now)
        while self._outages and now >= self._outages[0][0]:
            self._mend(now, *self._outages.pop(0)[1:])
        while self._due and self._due[0][0] <= now:
            at, kind, number = heapq.heappop(self._due)
            again = self._act(kind, number, now)
            if again:
                heapq.heappush(self._due, (at + again, kind, number))

    def leave(self) -> None:
        """Say that all nodes go; those without a network send what waits."""
        for number, node in enumerate(self._nodes):
            if node.out == NETWORK:
                self._return(number, 0.0)
            node.gateway.say(node.character.identity.topic("availability"), Availability.OFFLINE.to_json(), retain=True)

    def _act(self, kind: int, number: int, now: float) -> float:
        """Do one thing; return the seconds after which it is due again, 0: not again."""
        node, options = self._nodes[number], self._options
        if kind == BACK:
            self._return(number, now)
            return 0.0
        if kind == EVENT:
            if node.started and node.out != POWER:
                self._put(node, node.character.change())
                self._state(node)
            return self._chance.expovariate(1 / options.event_every_s)
        if kind == NIGHT:
            if node.out != POWER:
                self.sent["nights"] += 1
                self._put(node, node.character.night(node.character.last_night()))
            return 0.0 if node.out != POWER else options.outage_s
        if kind == STATE:
            self._state(node)
            return STATE_EVERY_S
        if node.started and not node.out:
            telemetry = node.character.telemetry_of(self._delivery(node), now - self._began)
            topic = node.character.identity.topic("telemetry")
            self.sent["telemetry"] += node.gateway.say(topic, telemetry.to_json())
        return options.telemetry_every_s

    def _put(self, node: _Node, event: Event) -> None:
        node.seq += 1
        event = replace(event, seq=node.seq)
        self.sent["put"] += 1
        if node.out:
            node.waiting.append(event)
        else:
            self._send(node, event)

    def _send(self, node: _Node, event: Event) -> None:
        topic, payload = node.character.identity.topic("event"), event.to_json()
        for repeated in (False, True):
            if repeated and self._chance.random() >= self._options.repeated_share:
                break
            self.sent["repeated"] += repeated
            node.gateway.event(topic, payload, event.id)

    def _state(self, node: _Node) -> None:
        if not node.out:
            payload = node.character.state_of(self._delivery(node)).to_json()
            self.sent["states"] += node.gateway.say(node.character.identity.topic("state"), payload, retain=True)

    def _return(self, number: int, now: float) -> None:
        """Let a node connect: it says that it is there, then what waits, then how it is."""
        node = self._nodes[number]
        first, node.started, node.out = not node.started, True, ""
        topic = node.character.identity.topic("availability")
        node.gateway.say(topic, Availability.ONLINE.to_json(), retain=True)
        for event in node.waiting:
            self._send(node, event)
        node.waiting.clear()
        self._state(node)
        if first:
            heapq.heappush(self._due, (now + STATE_EVERY_S, STATE, number))
        else:
            self.sent["returned"] += 1

    def _cut(self, now: float) -> None:
        """Cut some sites off."""
        sites = self._chance.sample(sorted(self._sites), max(1, round(self._options.outage_share * len(self._sites))))
        kind = (POWER, NETWORK)[self.sent["outages"] % 2]
        self.sent["outages"] += 1
        cut = [number for site in sites for number in self._sites[site]]
        cut = [number for number in cut if self._nodes[number].started and not self._nodes[number].out]
        for number in cut:
            node = self._nodes[number]
            topic = node.character.identity.topic("availability")
            node.gateway.say(topic, Availability.OFFLINE.to_json(), retain=True)  # the broker's last will
            node.out = kind
        self._outages.append((now + self._options.outage_s, kind, cut))

    def _mend(self, now: float, kind: str, cut: Sequence[int]) -> None:
        """Let the nodes of an outage come back: all start at the same moment, and each waits as a node does."""
        for number in cut:
            wait = Backoff(first_s=1.0, last_s=120.0, refused_s=1.0).wait(refused=False, lasted_s=0.0)
            heapq.heappush(self._due, (now + wait + (BOOT_S if kind == POWER else 0.0), BACK, number))

    def _named(self, names: Sequence[Identity]) -> list[tuple[int, Identity]]:
        twins = self._chance.sample(list(names), round(self._options.twins_share * len(names)))
        return list(enumerate([*names, *twins]))

    def _character(self, number: int, who: Identity) -> Character:
        wrong = self._chance.random() < self._options.wrong_clock_share
        error = self._chance.uniform(-86400, 86400) if wrong else 0.0
        return Character(who, self._chance, clock_error_s=error, clock_synced=not wrong or number % 2 == 0)

    @staticmethod
    def _delivery(node: _Node) -> Delivery:
        return Delivery(node.seq, len(node.waiting), 0, max(node.gateway.reconnects, 0), None)
