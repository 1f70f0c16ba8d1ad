"""Log-in and log-out."""

import asyncio
import json
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.accounts.users import SESSION_S, Throttle, Users
from leakear.dashboard.pages.gate import COOKIE

BODY = 4096
"""bytes of a log-in at most"""


class Login:
    """Handlers of the log-in; `https`: the page is reached over TLS."""

    def __init__(self, users: Users, *, https: bool) -> None:
        self._users = users
        self._https = https
        self._throttle = Throttle()

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/login", self.enter, methods=["POST"]),
            Route("/api/logout", self.leave, methods=["POST"]),
        ]

    async def enter(self, request: Request) -> Response:
        """Check name and password and set a session cookie."""
        name, password = await _credentials(request)
        who, now = f"{name} {request.client.host if request.client else ''}", time.monotonic()
        wait = self._throttle.wait(who, now)
        if wait > 0:
            return JSONResponse({"error": "wait", "seconds": round(wait) + 1}, 429)
        secret = await asyncio.to_thread(self._users.log_in, name, password)
        if secret is None:
            self._throttle.failed(who, now)
            return JSONResponse({"error": "wrong"}, 401)
        self._throttle.succeeded(who)
        answer = JSONResponse({"ok": True})
        answer.set_cookie(
            COOKIE, secret, max_age=int(SESSION_S), httponly=True, samesite="strict", secure=self._https, path="/"
        )
        return answer

    async def leave(self, request: Request) -> Response:
        """End the session."""
        secret = request.cookies.get(COOKIE)
        if secret:
            await asyncio.to_thread(self._users.log_out, secret)
        answer = JSONResponse({"ok": True})
        answer.delete_cookie(COOKIE, path="/")
        return answer


async def _credentials(request: Request) -> tuple[str, str]:
    """Return name and password, or two empty strings, which no account has."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > BODY:
            return "", ""
    try:
        data = json.loads(content)
        return str(data["name"])[:80], str(data["password"])
    except (ValueError, KeyError, TypeError):
        return "", ""
