"""Answers to commands, on a connection of their own.

A node's answers are subscribed to only while a command waits for them, so a node that sends answers nobody asked for
fills neither the broker nor the dashboard. The id of an answer is looked for in its bytes before it is parsed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import paho.mqtt.client as paho

from leakear.dashboard.broker.connection import BrokerConnection, BrokerOptions
from leakear.dashboard.fleet import Key
from leakear.edge.errors import InputDataError
from leakear.edge.messages.codec import MAX_PAYLOAD
from leakear.edge.messages.reports import CommandResult, Identity, MessageError

SUBSCRIBE_S = 5.0
"""seconds within which the broker confirms a subscription"""
WAITING = 64 * 2**20
"""bytes of answers that wait for one request at most: two clips"""
ANSWERS = 1000
"""answers to one request at most: a clip has up to 400 parts, and a broker may deliver one twice"""


class NoAnswer(InputDataError):  # noqa: N818 - it is an expected result, not a failure
    """The command could not be sent, or its answer did not come."""


@dataclass(eq=False)
class Waiting:
    """A request that waits for its answers."""

    key: Key
    id: str
    loop: asyncio.AbstractEventLoop
    payloads: deque[bytes] = field(default_factory=deque)
    size: int = 0
    """bytes of `payloads`"""
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    async def next(self) -> CommandResult:
        """Return the next answer with the id of the request; payloads that are no such answer are skipped."""
        while True:
            while self.payloads:
                payload = self.payloads.popleft()
                self.size -= len(payload)
                try:
                    answer = CommandResult.from_json(payload)
                except MessageError:
                    answer = None
                if answer is not None and answer.id == self.id:
                    return answer
                await asyncio.sleep(0)  # a node may send many that only look like answers
            self.bell.clear()
            await self.bell.wait()

    def offer(self, payload: bytes) -> None:
        """Add a payload when it can be an answer; called in paho's thread."""
        room = self.size + len(payload) <= WAITING and len(self.payloads) < ANSWERS
        if room and self.id.encode() in payload:
            self.size += len(payload)
            self.payloads.append(payload)
            self.loop.call_soon_threadsafe(self.bell.set)


class Answers:
    """Connection for answers. Must be made in the event loop in which it is used."""

    def __init__(self, options: BrokerOptions, wake: Callable[[], None]) -> None:
        self.connection = BrokerConnection(
            options, [], self._deliver, wake, persistent=False, largest=MAX_PAYLOAD, subscribed=self._subscribed
        )
        self._requests: dict[Key, list[Waiting]] = {}
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}
        """packet ids of subscriptions that the broker has not confirmed yet"""
        self._loop = asyncio.get_running_loop()

    @asynccontextmanager
    async def waiting(self, key: Key, request: str) -> AsyncIterator[Waiting]:
        """Listen for the answers of a node to a request; NoAnswer without a connection."""
        topic = Identity(*key).topic("cmd/+/result")
        waits = Waiting(key, request, asyncio.get_running_loop())
        self._requests.setdefault(key, []).append(waits)
        try:
            await self._subscribe(topic)
            yield waits
        finally:
            self._requests[key].remove(waits)
            if not self._requests[key]:
                del self._requests[key]
                self.connection.unsubscribe(topic)

    async def _subscribe(self, topic: str) -> None:
        """Subscribe and wait for the broker's confirmation."""
        mid = self.connection.subscribe(topic)
        if mid is None:
            raise NoAnswer("There is no connection to the broker: the command was not sent.")
        confirmed = self._unconfirmed[mid] = self._loop.create_future()
        try:
            await asyncio.wait_for(confirmed, SUBSCRIBE_S)
        except TimeoutError as error:
            raise NoAnswer("The broker does not let the dashboard read answers: the command was not sent.") from error
        finally:
            del self._unconfirmed[mid]

    def _subscribed(self, mid: int) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._confirm, mid)

    def _confirm(self, mid: int) -> None:
        confirmed = self._unconfirmed.get(mid)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(None)

    def _deliver(self, message: paho.MQTTMessage) -> None:
        if message.retain or len(message.payload) > MAX_PAYLOAD:
            return
        try:
            who, _ = Identity.parse_topic(message.topic)
        except (MessageError, UnicodeDecodeError):
            return  # no topic of a node
        for waits in list(self._requests.get((who.site, who.node), ())):
            waits.offer(bytes(message.payload))
