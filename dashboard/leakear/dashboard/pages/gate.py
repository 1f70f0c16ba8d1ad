"""Checks every request: its user, its origin; adds the security headers.

A log-in cookie alone does not authorise a change: the request must also come from our own pages (Origin) and be JSON,
which a form of another site cannot send. Without users, only this machine has access, and only with a loopback host
name, so that a web site that points its own name at 127.0.0.1 (DNS rebinding) has none.
"""

import asyncio
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leakear.dashboard.accounts.users import LOCAL, Role, User, Users
from leakear.dashboard.options import ServeOptions

COOKIE = "leakear_session"
OPEN = ("/static/", "/api/login", "/favicon.ico")
"""paths without log-in: the page's code contains no secret"""
SAFE = ("GET", "HEAD")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Gate:
    """ASGI middleware; puts `user` (a User or None) and `user_now()` into the request's state."""

    def __init__(self, app: ASGIApp, users: Users, options: ServeOptions) -> None:
        self._app = app
        self._users = users
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        user = await self.user(connection)
        scope.setdefault("state", {}).update(user=user, user_now=lambda: self.user(connection))
        refusal = self._cross_site(scope, connection.headers) or self._unauthenticated(scope, user)
        if refusal is None:
            await self._app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4000 + refusal[0], "reason": refusal[1]})
        else:
            answer = JSONResponse({"error": refusal[1]}, refusal[0])
            await answer(scope, receive, _with_headers(send))

    async def user(self, connection: HTTPConnection) -> User | None:
        """Return the user: by proxy header, by session, or LOCAL on a dashboard without users; None without log-in."""
        proxy = self._options.proxy
        if proxy is not None and _peer(connection) in proxy.addresses:
            name = connection.headers.get(proxy.user_header, "").strip()
            if name:
                return User(name, Role.OPERATE if name in proxy.operators else proxy.role)
        secret = connection.cookies.get(COOKIE)
        if secret:
            found = await asyncio.to_thread(self._users.of_session, secret)
            if found is not None:
                return found
        open_to_local = proxy is None and self._options.loopback and _loopback_name(connection.headers)
        if open_to_local and not await asyncio.to_thread(self._users.any):
            return LOCAL
        return None

    def _cross_site(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Refuse a change that a page of another web site may have sent."""
        if scope["type"] == "http" and scope["method"] in SAFE:
            return None
        origin = headers.get("origin")
        if origin is not None and origin.rstrip("/") not in self._own_origins(headers):
            return 403, "This request comes from another web site."
        if scope["type"] == "http" and headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return 415, "Requests that change something are JSON."
        return None

    def _own_origins(self, headers: Mapping[str, str]) -> set[str]:
        host = headers.get("host", "")
        own = {f"http://{host}", f"https://{host}"}
        if self._options.public_url:
            parts = urlsplit(self._options.public_url)
            own.add(f"{parts.scheme}://{parts.netloc}")
        return own

    @staticmethod
    def _unauthenticated(scope: Scope, user: User | None) -> tuple[int, str] | None:
        """Refuse data without log-in; the page itself is allowed, because it shows the log-in."""
        path: str = scope["path"]
        if user is not None or path.startswith(OPEN):
            return None
        if scope["type"] == "websocket" or path.startswith("/api/"):
            return 401, "Log in first."
        return None


def _peer(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


def _loopback_name(headers: Mapping[str, str]) -> bool:
    """Whether the request's host name can only mean this machine."""
    name = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return wrapped
