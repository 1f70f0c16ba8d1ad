"""Asks nodes for live spectra while a page shows them: at most one request a node and half minute."""

import json
import time
from collections.abc import Callable, Iterable

from leakear.dashboard.fleet import Key
from leakear.edge.messages.reports import Identity, utc_text

WATCH_S = 60.0
"""how long a node publishes spectra for one request"""
RENEW_S = WATCH_S / 2
"""between two requests to the same node, whoever wants them"""
LEAVE_S = 2.0
"""seconds without a page that shows the node, after which its publishing is ended"""


class Watches:
    """`ask(key, seconds)` publishes the request; 0 seconds end it."""

    def __init__(self, ask: Callable[[Key, float], None]) -> None:
        self._ask = ask
        self._asked: dict[Key, float] = {}
        """when each node was asked last"""
        self._left: dict[Key, float] = {}
        """since when no page shows a node that publishes; infinite: its end was asked for"""

    def update(self, listened: Iterable[Key], now: float) -> None:
        """Ask what is due, given the nodes whose live spectrum is open on a page. Called often."""
        wanted = set(listened)
        for key in wanted:
            self._left.pop(key, None)
            if now - self._asked.get(key, -RENEW_S) >= RENEW_S:
                self._asked[key] = now
                self._ask(key, WATCH_S)
        for key, asked in list(self._asked.items()):
            if key in wanted:
                continue
            if now - asked >= WATCH_S:
                del self._asked[key]
                self._left.pop(key, None)
            elif self._left.setdefault(key, now) + LEAVE_S <= now:
                self._left[key] = float("inf")
                self._ask(key, 0)


def asker(publish: Callable[[str, bytes], bool]) -> Callable[[Key, float], None]:
    """Return what asks a node to publish its spectra for some seconds, given what publishes a payload on a topic."""

    def ask(key: Key, seconds: float) -> None:
        payload = {"id": f"watch-{utc_text(time.time())}", "seconds": seconds}
        publish(Identity(*key).topic("cmd/watch"), json.dumps(payload).encode())

    return ask
