"""Deletes what the broker has retained of a node, and sees whether it did.

mosquitto acknowledges a message that its access list refuses (MQTT 3.1.1 cannot even say so). A message that it takes
it passes on, to the dashboard too: that one is waited for.
"""

import asyncio
from collections.abc import Callable

from leakear.dashboard.fleet import Key
from leakear.edge.messages.discovery import discovery_topic
from leakear.edge.messages.reports import Identity

RETAINED = ("availability", "state")
"""topics of a node that are retained"""
WAIT_S = 3.0
"""seconds within which the broker passes the deletion on"""


class Clearing:
    """`publish(topic)` publishes an empty retained message; False without a connection."""

    def __init__(self, publish: Callable[[str], bool]) -> None:
        self._publish = publish
        self._waiting: dict[str, asyncio.Event] = {}
        """topics that are being emptied"""

    async def clear(self, key: Key) -> bool:
        """Delete the retained messages of a node; False when the broker did not.

        Where it does, Home Assistant's device goes too, if the node used the usual discovery prefix.
        """
        who = Identity(*key)
        topics = [who.topic(suffix) for suffix in RETAINED]
        bells = [self._waiting.setdefault(topic, asyncio.Event()) for topic in topics]
        try:
            if not all(self._publish(topic) for topic in topics):
                return False
            async with asyncio.timeout(WAIT_S):
                for bell in bells:
                    await bell.wait()
        except TimeoutError:
            return False
        finally:
            for topic in topics:
                self._waiting.pop(topic, None)
        return self._publish(discovery_topic(who))

    def emptied(self, topic: str) -> None:
        """Note that the broker delivered an empty message."""
        bell = self._waiting.get(topic)
        if bell is not None:
            bell.set()
