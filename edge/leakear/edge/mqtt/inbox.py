"""What the network thread reports to the main thread: one queue, bounded where others could fill it."""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from leakear.edge.mqtt.refusals.reason_codes import Refusal

WAITING_COMMANDS = 64
"""commands the main thread has not taken yet; more are refused"""


class Transport(Protocol):
    """A connection as the main thread uses it (`connection.Connection`)."""

    protocol: int
    """paho's number of the MQTT version"""
    user: str
    """user name given to the broker; empty: none"""

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool, expiry_s: int = 0) -> int | None:
        """Hand a message to the socket; return its number, or None where the connection is gone."""

    def subscribe(self, topic: str, *, commands: bool = False) -> int | None:
        """Subscribe to a topic; return the number of the request. `commands`: its retained messages are not wanted."""

    def leave(self) -> None:
        """Disconnect in order (no last will)."""

    def cut(self) -> None:
        """End a connection that no longer answers."""


@dataclass(frozen=True)
class Opened:
    """The broker accepted this connection."""

    connection: Transport
    in_flight: int
    """publishes the broker takes unacknowledged"""
    max_packet: int
    """bytes of the largest packet it takes"""
    certificate_ends: float | None
    """POSIX s of the end of the broker's certificate"""
    retains: bool = True
    """whether it keeps retained messages"""


@dataclass(frozen=True)
class Closed:
    """The connection, or the attempt at one, is over."""

    connection: Transport | None
    refusal: Refusal | None
    orderly: bool
    code: int = 0
    """reason of the broker's DISCONNECT; 0: it gave none"""


@dataclass(frozen=True)
class Answered:
    """The broker answered a publish or a subscription; `code` ≥ 128 means no."""

    connection: Transport
    mid: int
    code: int


@dataclass(frozen=True)
class Received:
    """A message for this node."""

    topic: str
    payload: bytes


@dataclass(frozen=True)
class Oversized:
    """A message for this node that was thrown away unread."""

    topic: str
    size: int
    """bytes"""


Notice = Opened | Closed | Answered | Received | Oversized


class Inbox:
    """Notices for the main thread. Commands are bounded: a flood is counted, never stored."""

    def __init__(self, max_payload: int) -> None:
        self.max_payload = max_payload
        self.refused = 0
        """messages too large or too many"""
        self.arrived = threading.Event()
        self._notices: SimpleQueue[Notice] = SimpleQueue()
        self._room = threading.Semaphore(WAITING_COMMANDS)
        self._taken: deque[int] = deque(maxlen=WAITING_COMMANDS)  # hashes of the newest messages

    def put(self, notice: Notice) -> None:
        """Add a notice (network thread)."""
        self._notices.put(notice)
        self.arrived.set()

    def throw_away(self, topic: str, size: int) -> None:
        """Count a message that was too long to be read (network thread)."""
        if not self.refused:  # the sentence once; a flood of them is only counted
            self.put(Oversized(topic, size))
        self.refused += 1

    def offer(self, topic: str, payload: bytes, *, number: int = 0, again: bool = False) -> None:
        """Add a message, if it is small and there is room (network thread).

        `number`: the broker's number of it; `again`: the broker got no acknowledgement the first time. One that was
        taken then is left out: going back to the model before, twice, is going nowhere.
        """
        mark = hash((number, topic, payload))
        if again and mark in self._taken:
            return
        if len(payload) > self.max_payload or not self._room.acquire(blocking=False):
            self.refused += 1
        else:
            self._taken.append(mark)
            self.put(Received(topic, payload))

    def take(self) -> Iterator[Notice]:
        """Yield all notices that have arrived (main thread)."""
        self.arrived.clear()
        for _ in range(self._notices.qsize()):
            notice = self._notices.get()
            if isinstance(notice, Received):
                self._room.release()
            yield notice
