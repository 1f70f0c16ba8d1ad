"""Checks every request: its user, its origin; adds the security headers.

A log-in cookie alone does not authorise a change: the request must also come from our own pages (Origin) and be JSON,
which a form of another site cannot send. Without users, only who has the start token has access (`access`), and only
with a loopback host name, so that a web site that points its own name at 127.0.0.1 (DNS rebinding) has none.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leakear.dashboard.accounts.users import User
from leakear.dashboard.options import ServeOptions
from leakear.dashboard.pages.access import Access

OPEN = ("/static/", "/api/login", "/favicon.ico")
"""paths without log-in: the page's code contains no secret"""
DATA = ("/api/", "/tiles/")
"""paths that need a log-in"""
METRICS = "/metrics"
SAFE = ("GET", "HEAD")
ELSEWHERE = ("cross-site", "same-site")
"""what a browser says of a request that a page of another web site has made; others leave the header out"""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
"""`frame-ancestors`: Home Assistant shows its add-ons in a frame of its own origin (decision 172)"""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(self)",
}


class Gate:
    """ASGI middleware; puts `user` (a User or None) and `user_now()` into the request's state."""

    def __init__(self, app: ASGIApp, access: Access, options: ServeOptions) -> None:
        self._app = app
        self._access = access
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        user = await self._access.user(connection)
        scope.setdefault("state", {}).update(user=user, user_now=lambda: self._access.user(connection))
        refusal = self._cross_site(scope, connection.headers) or self._unauthenticated(scope, user)
        if scope["type"] == "http":
            send = self._with_headers(send, scope["path"])
            answer = await self._token_answer(scope, connection) if refusal is None else None
            if refusal is not None:
                start = refusal[0] == 401 and await self._access.is_local(connection)
                answer = JSONResponse({"error": refusal[1], "start": start}, refusal[0])
            await (answer or self._app)(scope, receive, send)
        elif refusal is None:
            await self._app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 4000 + refusal[0], "reason": refusal[1]})

    async def _token_answer(self, scope: Scope, connection: HTTPConnection) -> Response | None:
        """Exchange the start token in the address for a cookie, so that it stays in no history and no link."""
        token = connection.query_params.get("token") if scope["path"] == "/" else None
        if token is None or not self._access.is_token(token) or not await self._access.is_local(connection):
            return None
        return self._access.with_token(RedirectResponse("./", 303))

    def _cross_site(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Refuse a change, or a read of data, that a page of another web site may have sent."""
        if headers.get("sec-fetch-site") in ELSEWHERE and not _is_page(scope):
            return 403, "This request comes from another web site."
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
        metrics = path == METRICS and scope.get("method") in SAFE  # it has a token of its own
        if scope["type"] == "websocket" or (path.startswith((*DATA, METRICS)) and not metrics):
            return 401, "Log in first."
        return None

    def _with_headers(self, send: Send, path: str) -> Send:
        added = dict(HEADERS)
        if self._options.https:
            added["strict-transport-security"] = "max-age=31536000"
        if path.startswith("/api/"):
            added["cache-control"] = "no-store"

        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in added.items():
                    headers[name] = value
            await send(message)

        return wrapped


def _is_page(scope: Scope) -> bool:
    """Whether a request is for a page itself, to which any web site may link."""
    return scope["type"] == "http" and not scope["path"].startswith((*DATA, METRICS))
