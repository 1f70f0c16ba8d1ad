"""The WebSocket of a page: sends the fleet's changes."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from leakear.dashboard.fleet import Key
from leakear.dashboard.hub import Page
from leakear.dashboard.service import WATCH_S, Service

RECHECK_S = 5.0
"""seconds between two checks that the user is still logged in"""


class Live:
    """Endpoint of the WebSocket."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page until it is closed or too slow."""
        await socket.accept()
        page = Page()
        self._service.join(page)
        helpers = [asyncio.create_task(job) for job in (self._read(socket, page), self._recheck(socket, page))]
        try:
            await self._write(socket, page)
        finally:
            for helper in helpers:
                helper.cancel()
            self._service.hub.leave(page)
            self._stop_listening(page)

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
        try:
            while True:
                self._request(page, json.loads(await socket.receive_text()))
        except (WebSocketDisconnect, ValueError, RuntimeError):
            page.end()

    def _request(self, page: Page, request: Any) -> None:
        """Store what the page shows: `{"watch": [site, node] | null, "spectrum": bool}`."""
        if not isinstance(request, dict):
            return
        self._stop_listening(page)
        page.watching, page.listening = _key(request.get("watch")), request.get("spectrum") is True
        node = self._service.fleet.get(page.watching) if page.watching else None
        if node is not None:
            self._service.hub.show(page, node)
            if page.listening:
                self._service.watch(node.key, WATCH_S)

    def _stop_listening(self, page: Page) -> None:
        """Let a node stop publishing spectra when no page shows them any more."""
        key, listened = page.watching, page.listening
        page.listening = False
        if key is not None and listened and key not in self._service.hub.listened():
            self._service.watch(key, 0)


def _key(value: Any) -> Key | None:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value):
        return value[0], value[1]
    return None
