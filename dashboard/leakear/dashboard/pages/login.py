"""Log-in and log-out."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.accounts.hashing import Busy, HashingPool
from leakear.dashboard.accounts.throttle import LogInLimits
from leakear.dashboard.accounts.users import SESSION_S, Users
from leakear.dashboard.pages.access import Access
from leakear.dashboard.pages.body import Refused, json_object

log = logging.getLogger(__name__)
BODY = 4096
"""bytes of a log-in at most"""
PAUSE_S = 1.0
"""seconds until a log-in that has to wait is told so"""
BUSY_S = 2
"""seconds after which to try again while many log-ins wait"""


class Login:
    """Handlers of the log-in. `access` knows the name of the cookie and the address of the client.

    `tell` tells other servers of a wrong try: an attacker does not get as many tries at each.
    """

    def __init__(
        self, users: Users, access: Access, limits: LogInLimits, tell: Callable[[dict[str, Any]], None]
    ) -> None:
        self._users = users
        self._access = access
        self._limits, self._tell = limits, tell
        self._pool = HashingPool()

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/login", self.enter, methods=["POST"]),
            Route("/api/logout", self.leave, methods=["POST"]),
        ]

    async def enter(self, request: Request) -> Response:
        """Check name and password and set a session cookie."""
        name, password = await _credentials(request)
        address = self._access.client(request)
        made, wait = self._limits.begin(name, address, time.monotonic())
        if made is None:
            log.warning("a log-in as %a from %s has to wait: too many tries", name, address)
            return await _wait(round(wait) + 1)
        try:
            if not name or not password:  # no account has them
                return self._refuse(name, address)
            secret = await self._pool.run(self._users.log_in, name, password)
        except Busy:
            self._limits.undo(made)
            log.warning("a log-in as %a from %s has to wait: others are being checked", name, address)
            return await _wait(BUSY_S)
        if secret is None:
            return self._refuse(name, address)
        self._limits.right(made)
        log.info("%a logged in from %s", name, address)
        return self._access.with_cookie(JSONResponse({"ok": True}), secret, SESSION_S)

    def _refuse(self, name: str, address: str) -> Response:
        self._tell({"t": "try", "name": name, "address": address})
        log.warning("failed log-in as %a from %s", name, address)
        return JSONResponse({"error": "wrong"}, 401)

    async def leave(self, request: Request) -> Response:
        """End the session."""
        secret = request.cookies.get(self._access.cookie)
        if secret:
            await asyncio.to_thread(self._users.log_out, secret)
        return self._access.with_cookie(JSONResponse({"ok": True}), "", 0)


async def _wait(seconds: int) -> Response:
    """Refuse for now, after a moment: who asks again at once must not keep the event loop from everybody else."""
    await asyncio.sleep(PAUSE_S)
    return JSONResponse({"error": "wait", "seconds": seconds}, 429, {"retry-after": str(seconds)})


async def _credentials(request: Request) -> tuple[str, str]:
    """Return name and password, or two empty strings, which no account has."""
    try:
        data = await json_object(request, BODY)
        return str(data["name"])[:80], str(data["password"])
    except (Refused, KeyError):
        return "", ""
