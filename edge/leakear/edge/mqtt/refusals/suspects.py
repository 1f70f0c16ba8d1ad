"""Finds what a broker cuts the connection for without saying so: too large, or refused by its access list.

MQTT 3.1.1 has no word for "no", and mosquitto closes the connection without one at a message above its
`message_size_limit`. What was on its way when a connection was cut is suspect: it is sent alone on the next connection,
so that a second cut names it. Then it is held back, and everything else is delivered. A message that is no larger than
one which this broker has taken on the same topic is never suspect: unlucky outages must not hold back an alert.
"""

from collections.abc import Iterable
from dataclasses import dataclass

SOON_S = 5.0
"""s after sending within which a cut is blamed on what was sent; later it is an outage"""
STRIKES = 2
"""cuts while it was alone on its way after which a message is held back"""
EVENT_STRIKES = 3
"""the same for an event"""


@dataclass(frozen=True)
class Suspect:
    """A message that was on its way when the connection was cut."""

    key: str
    """a topic, or `topic#seq` for one event"""
    topic: str
    size: int
    """bytes of the payload"""
    event: bool = False


class Suspects:
    """Messages that may have ended a connection, by key."""

    def __init__(self) -> None:
        self._strikes: dict[str, int] = {}
        self._known: dict[str, Suspect] = {}
        self._taken: dict[str, int] = {}
        """topic → bytes of the largest payload that the broker has taken"""

    def __contains__(self, key: str) -> bool:
        """Whether a message must be sent alone."""
        return key in self._strikes

    def acquit(self, one: Suspect) -> None:
        """Note that the broker has taken a message and kept the connection."""
        self._taken[one.topic] = max(one.size, self._taken.get(one.topic, 0))
        for key in [known.key for known in self._known.values() if self._is_innocent(known)]:
            del self._strikes[key], self._known[key]

    def cut(self, on_the_way: Iterable[Suspect]) -> str | None:
        """Note that the connection was cut while these were on their way; return the key to hold back, if sure."""
        found = [one for one in on_the_way if not self._is_innocent(one)]
        for one in found:
            self._strikes.setdefault(one.key, 0)
            self._known[one.key] = one
        if len(found) != 1:
            return None
        one = found[0]
        self._strikes[one.key] += 1
        return one.key if self._strikes[one.key] >= (EVENT_STRIKES if one.event else STRIKES) else None

    def _is_innocent(self, one: Suspect) -> bool:
        return one.size <= self._taken.get(one.topic, -1)
