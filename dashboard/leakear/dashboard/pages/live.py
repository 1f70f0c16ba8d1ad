"""The WebSocket of a page: takes what it shows, sends what changes."""

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from leakear.dashboard.accounts.throttle import Budget, Budgets
from leakear.dashboard.fleet import Key
from leakear.dashboard.server.hub import Page
from leakear.dashboard.service import Service
from leakear.dashboard.views.view import View

PAGES = 20
"""open pages of one user at a time"""
OPENED, OPENED_PER_S = 30.0, 0.5
"""pages that one user opens: so many at once, then so many a second; each may be sent the whole fleet"""
REQUESTS, REQUESTS_PER_S = 60.0, 8.0
"""what a page may ask for: so many times at once, then so many times a second"""
VIEWED, VIEWED_PER_S = 40.0, 8.0
"""searches and parts of a large fleet, over all pages of a user; further ones wait"""
ALSO = 200
"""further nodes that a page may show"""
RECHECK_S = 5.0
"""seconds between two checks that the user is still logged in"""


class Live:
    """Endpoint of the WebSocket."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._opened = Budgets(OPENED, OPENED_PER_S)
        self._viewed = Budgets(VIEWED, VIEWED_PER_S)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page until it is closed or too slow."""
        user = socket.state.user.name
        if self._service.hub.pages_of(user) >= PAGES or not self._opened.take(user, time.monotonic()):
            await socket.close(4429)
            return
        await socket.accept()
        page = Page(user)
        self._service.hub.join(page, time.time())
        helpers = [asyncio.create_task(job) for job in (self._read(socket, page), self._recheck(socket, page))]
        try:
            await self._write(socket, page)
        finally:
            for helper in helpers:
                helper.cancel()
            self._service.hub.leave(page)

    async def _write(self, socket: WebSocket, page: Page) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while (text := await page.queue.get()) is not None:
                await socket.send_text(text)
            await socket.close(4401 if page.logged_out else 1013)

    async def _recheck(self, socket: WebSocket, page: Page) -> None:
        """Close the WebSocket when its user was logged out or removed."""
        while await socket.state.user_now() is not None:  # noqa: ASYNC110 - changes by the CLI cause no event
            await asyncio.sleep(RECHECK_S)
        page.logged_out = True
        page.end()

    async def _read(self, socket: WebSocket, page: Page) -> None:
        budget = Budget(REQUESTS, REQUESTS_PER_S)
        with suppress(WebSocketDisconnect, ValueError, RuntimeError, RecursionError, KeyError):
            while budget.wait(time.monotonic()) == 0:
                budget.use()
                request = json.loads(await socket.receive_text())
                await self._turn(page)
                self._request(page, request)
        page.end()

    async def _turn(self, page: Page) -> None:
        """Wait until a user's pages may ask for a further part of a large fleet."""
        while not page.whole and not self._viewed.take(page.user, time.monotonic()):  # noqa: ASYNC110 - time alone fills it
            await asyncio.sleep(self._viewed.wait(page.user, time.monotonic()))

    def _request(self, page: Page, request: Any) -> None:
        """Store what the page shows: `{"watch": [site, node] | null, "spectrum": bool, "view": …, "also": […]}`.

        `view`: see `views.view.View`; `also`: further nodes as [site, node]. Both count where the fleet is large.
        """
        if not isinstance(request, dict):
            return
        page.watching, page.listening = _key(request.get("watch")), request.get("spectrum") is True
        page.view, also = View.of(request.get("view")), request.get("also")
        named = (_key(one) for one in also[:ALSO]) if isinstance(also, list) else ()
        page.also = frozenset(key for key in named if key)
        self._service.hub.show(page, time.time())


def _key(value: Any) -> Key | None:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value):
        return value[0], value[1]
    return None
