"""The open pages: sends changes to all of them; a page that is too slow is disconnected and starts again."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from leakear.dashboard.fleet import SPARK, Fleet, Key, Node
from leakear.dashboard.ring import SLOT_S

WAITING = 60
"""messages that may wait for a slow page before it is disconnected (it reconnects and gets the whole fleet)"""


@dataclass(eq=False)
class Page:
    """One open page."""

    user: str = ""
    queue: "asyncio.Queue[str | None]" = field(default_factory=lambda: asyncio.Queue(WAITING))
    watching: Key | None = None
    """the node whose page it is"""
    listening: bool = False
    """whether it shows the live spectrum"""
    logged_out: bool = False
    """whether its user was logged out"""

    def end(self) -> None:
        """Close the connection; drop the messages that still wait."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)

    def send(self, text: str) -> bool:
        """Queue a message; False when too many wait."""
        try:
            self.queue.put_nowait(text)
        except asyncio.QueueFull:
            return False
        return True


class Hub:
    """Sends the fleet's changes to all pages."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._pages: set[Page] = set()
        self._heads: dict[int, dict[str, Any]] = {}
        self._changed: set[Key] = set()
        self._gone: list[int] = []
        self._connection: dict[str, Any] = {}
        self._whole: str | None = None
        """the whole fleet, for the pages that open before the next flush"""

    def __len__(self) -> int:
        return len(self._pages)

    def join(self, page: Page, now: float) -> None:
        """Add a page and send it the whole fleet: what was made since the last flush is as good as new."""
        if self._whole is None:
            nodes = [self._snapshot(node, now) for node in self._fleet]
            whole = {"t": "fleet", "now": now, "slot": SLOT_S, "nodes": nodes, "line": self._connection}
            self._whole = encode(whole)
        page.send(self._whole)
        self._pages.add(page)

    def show(self, page: Page, node: Node) -> None:
        """Send a page the details of the node that it has just opened."""
        page.send(encode({"t": "details", "i": node.index, **node.details()}))

    def leave(self, page: Page) -> None:
        """Drop a page."""
        self._pages.discard(page)

    def changed(self, node: Node) -> None:
        """Mark a node to be sent at the next flush."""
        self._changed.add(node.key)

    def gone(self, node: Node) -> None:
        """Mark a node as removed."""
        self._whole = None
        self._gone.append(node.index)
        self._heads.pop(node.index, None)
        self._changed.discard(node.key)

    def flush(self, now: float, connection: dict[str, Any]) -> None:
        """Send the changes since the last flush; `connection`: state of broker and history."""
        self._whole = None
        nodes = [node for key in self._changed if (node := self._fleet.get(key))]
        heads = [head for node in nodes if (head := self._new_head(node))]
        message: dict[str, Any] = {"t": "diff", "now": now, "live": [node.live() for node in nodes]}
        extras = {"heads": heads, "gone": self._gone, "line": connection if connection != self._connection else None}
        message |= {name: value for name, value in extras.items() if value}
        self._changed, self._gone, self._connection = set(), [], connection
        if self._pages and len(message) > 2 and (nodes or len(message) > 3):
            self.broadcast(message)
        self._send_details(nodes)

    def broadcast(self, message: dict[str, Any], to: Key | None = None) -> None:
        """Send to all pages, or to those that watch one node."""
        text = encode(message)
        for page in list(self._pages):
            if (to is None or page.watching == to) and not page.send(text):
                self._disconnect(page)

    def pages_of(self, user: str) -> int:
        """Return how many pages a user has open."""
        return sum(page.user == user for page in self._pages)

    def listened(self) -> set[Key]:
        """Return the nodes whose live spectrum is open on a page."""
        return {page.watching for page in self._pages if page.listening and page.watching}

    def close(self) -> None:
        """End all pages' connections."""
        for page in list(self._pages):
            self._disconnect(page)

    def _disconnect(self, page: Page) -> None:
        self._pages.discard(page)
        page.end()

    def _new_head(self, node: Node) -> dict[str, Any] | None:
        head = node.head()
        if self._heads.get(node.index) == head:
            return None
        self._heads[node.index] = head
        return head

    def _snapshot(self, node: Node, now: float) -> dict[str, Any]:
        score, level, _ = node.ring.last(SPARK, now)
        return node.head() | {"live": node.live(), "scores": score, "levels": level}

    def _send_details(self, nodes: list[Node]) -> None:
        watched = {page.watching for page in self._pages if page.watching}
        for node in nodes:
            if node.key in watched:
                self.broadcast({"t": "details", "i": node.index, **node.details()}, to=node.key)


def encode(message: dict[str, Any]) -> str:
    """JSON text of a message to the page."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
