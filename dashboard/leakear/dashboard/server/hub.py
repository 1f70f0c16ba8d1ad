"""The open pages: sends changes to all of them; a page that is too slow is disconnected and starts again.

A page of a small fleet has all of it. A page of a large one has what it shows (`views`).
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from leakear.dashboard.fleet import SPARK, Fleet, Key, Node
from leakear.dashboard.fleet.ring import SLOT_S
from leakear.dashboard.views.index import Site
from leakear.dashboard.views.view import View
from leakear.dashboard.views.windows import Windows

WAITING = 60
"""messages that may wait for a slow page before it is disconnected (it reconnects and starts anew)"""
WHOLE, WHOLE_LEFT = 2000, 2400
"""nodes up to which a new page gets the whole fleet, and beyond which a page that has all of it must start anew"""


TOLD = 5000
"""events that are remembered: a server that takes over tells those again that the last one may not have told"""


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
    whole: bool = True
    """whether it has the whole fleet; else it has what follows"""
    view: View | None = None
    """the part of the list that it shows"""
    also: frozenset[Key] = frozenset()
    """further nodes that it shows"""
    known: frozenset[int] = frozenset()
    sites: tuple[Site, ...] | None = None
    told: dict[str, Any] = field(default_factory=dict)

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
        self.windows = Windows(fleet, _snapshot)
        self._heads: dict[int, dict[str, Any]] = {}
        self._changed: set[Key] = set()
        self._gone: list[int] = []
        self._connection: dict[str, Any] = {}
        self.relay: Callable[[dict[str, Any]], None] = lambda _: None
        """sends a message to the other servers of this database"""
        self._told: OrderedDict[str, None] = OrderedDict()
        self._whole: str | None = None
        """the whole fleet, for the pages that open before the next flush"""

    def __len__(self) -> int:
        return len(self._pages)

    def join(self, page: Page, now: float) -> None:
        """Add a page and send it a small fleet whole: what was made since the last flush is as good as new."""
        page.whole = len(self._fleet) <= WHOLE
        if not page.whole:
            first = {"t": "fleet", "now": now, "slot": SLOT_S, "nodes": [], "line": self._connection}
            page.send(encode(first | self.windows.part(page, now, {}, [])))
        else:
            if self._whole is None:
                nodes = [_snapshot(node, now) for node in self._fleet]
                whole = {"t": "fleet", "now": now, "slot": SLOT_S, "nodes": nodes, "line": self._connection}
                self._whole = encode(whole)
            page.send(self._whole)
        self._pages.add(page)

    async def restored(self) -> None:
        """Take over the nodes that an earlier run has stored; other work goes on in between."""
        for number, node in enumerate(list(self._fleet)):
            self.windows.index.update(node)
            if number % 1000 == 999:
                await asyncio.sleep(0)

    def show(self, page: Page, now: float) -> None:
        """Send a page what it has just asked for: its part of the list, the details of the node whose page it is."""
        if page in self._pages and not page.whole:
            self._send_part(page, now, {}, [])
        node = self._fleet.get(page.watching) if page.watching else None
        if node is not None:
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
        self.windows.index.remove(node)

    def flush(self, now: float, connection: dict[str, Any]) -> None:
        """Send the changes since the last flush; `connection`: state of broker and history."""
        self._whole = None
        nodes = [node for key in self._changed if (node := self._fleet.get(key))]
        for node in nodes:
            self.windows.index.update(node)
        wanted = self._shown()
        if wanted is not None:
            self._heads = {index: self._heads[index] for index in wanted & self._heads.keys()}
            nodes = [node for node in nodes if node.index in wanted]
        heads = [head for node in nodes if (head := self._new_head(node))]
        message: dict[str, Any] = {"t": "diff", "now": now, "live": [node.live() for node in nodes]}
        line = connection if connection != self._connection else None
        extras = {"heads": heads, "gone": self._gone, "line": line}
        message |= {name: value for name, value in extras.items() if value}
        self._changed, self._gone, self._connection = set(), [], connection
        if self._pages and (nodes or len(message) > 3):
            self._send(list(filter(lambda page: page.whole, self._pages)), message)
        self._send_parts(now, message, line)
        self._send_details(nodes)

    def broadcast(self, message: dict[str, Any], to: Key | None = None) -> None:
        """Send to all pages, those of other servers, too; or to those here that watch one node."""
        self.tell(message, to)
        if to is None:
            self.relay(message)

    def tell(self, message: dict[str, Any], to: Key | None = None) -> None:
        """Send to the pages of this server, or to those that watch one node; an event that they know is left out."""
        if message["t"] == "events":
            message = message | {"rows": [row for row in message["rows"] if self._is_news(row)]}
            if not message["rows"]:
                return
        self._send([page for page in self._pages if to is None or page.watching == to], message)

    def _is_news(self, row: dict[str, Any]) -> bool:
        """Whether an event was not told yet; one that was held back and is raised later is told twice."""
        key = f"{row['id']} {row.get('held')}"
        known = key in self._told
        self._told[key] = None
        while len(self._told) > TOLD:
            self._told.popitem(last=False)
        return not known

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

    def _send(self, pages: list[Page], message: dict[str, Any]) -> None:
        text = encode(message) if pages else ""
        for page in pages:
            if not page.send(text):
                self._disconnect(page)

    def _shown(self) -> set[int] | None:
        """Return the numbers of the nodes that any page shows; None: all."""
        if len(self._fleet) <= WHOLE_LEFT:
            return None
        for page in [page for page in self._pages if page.whole]:
            self._disconnect(page)
        return set().union(*(page.known for page in self._pages))

    def _send_parts(self, now: float, message: dict[str, Any], line: dict[str, Any] | None) -> None:
        pages = [page for page in self._pages if not page.whole]
        live = {values[0]: values for values in message["live"]} if pages else {}
        for page in pages:
            self._send_part(page, now, live, message.get("heads", []), line)

    def _send_part(
        self, page: Page, now: float, live: dict[int, list[Any]], heads: list[dict[str, Any]],
        line: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        part = self.windows.part(page, now, live, heads) | ({"line": line} if line else {})
        if part:
            self._send([page], {"t": "diff", "now": now, "live": []} | part)

    def _new_head(self, node: Node) -> dict[str, Any] | None:
        head = node.head()
        if self._heads.get(node.index) == head:
            return None
        self._heads[node.index] = head
        return head

    def _send_details(self, nodes: list[Node]) -> None:
        watched = {page.watching for page in self._pages if page.watching}
        for node in nodes:
            if node.key in watched:
                self.broadcast({"t": "details", "i": node.index, **node.details()}, to=node.key)


def _snapshot(node: Node, now: float) -> dict[str, Any]:
    """Return all of a node that a page shows in a list."""
    score, level, _ = node.ring.last(SPARK, now)
    return node.head() | {"live": node.live(), "scores": score, "levels": level}


def encode(message: dict[str, Any]) -> str:
    """JSON text of a message to the page."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
