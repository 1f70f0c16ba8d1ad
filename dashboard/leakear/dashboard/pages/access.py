"""Who sent a request: by proxy header, by session, or with the start token of a dashboard without users."""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from leakear.dashboard.accounts.users import LOCAL, Role, User, Users
from leakear.dashboard.options import ServeOptions
from leakear.dashboard.pages.body import usable

COOKIE = "leakear_session"
TOKEN_S = 400 * 86400.0
"""seconds for which a browser keeps the start token"""


class Access:
    """Users of requests, and the cookies that name them."""

    def __init__(self, users: Users, options: ServeOptions, token: str) -> None:
        self._users = users
        self._options = options
        self._token = token
        self.cookie = f"__Host-{COOKIE}" if options.https else COOKIE
        """name of the session's cookie; with this prefix a browser takes it over https only, for this host alone"""
        digest = hashlib.sha256(token.encode()).hexdigest()
        self._local_cookie = f"leakear_local_{digest[:8]}"

    async def user(self, connection: HTTPConnection) -> User | None:
        """Return the user; None without log-in."""
        named = self._named_by_proxy(connection)
        if named is not None:
            return named
        secret = connection.cookies.get(self.cookie)
        if secret:
            found = await asyncio.to_thread(self._users.of_session, secret)
            if found is not None:
                return found
        if self._has_token(connection) and await self.is_local(connection):
            return LOCAL
        return None

    async def is_local(self, connection: HTTPConnection) -> bool:
        """Whether the start token counts for this request: no users, no proxy, and a loopback host name."""
        alone = self._options.proxy is None and self._options.loopback and _loopback_name(connection.headers)
        return alone and not await asyncio.to_thread(self._users.any)

    def is_token(self, text: str) -> bool:
        """Whether this is the start token."""
        return hmac.compare_digest(text.encode(), self._token.encode())

    def client(self, connection: HTTPConnection) -> str:
        """Return the address of the client; behind a proxy, the one that the proxy has added."""
        peer = _peer(connection)
        proxy = self._options.proxy
        if proxy is None or peer not in proxy.addresses:
            return peer
        forwarded = ",".join(connection.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
        try:
            return str(ip_address(forwarded))
        except ValueError:
            return peer

    def with_cookie(self, answer: Response, secret: str, seconds: float) -> Response:
        """Give an answer the session's cookie; 0 seconds: take it away."""
        return self._set(answer, self.cookie, secret, seconds)

    def with_token(self, answer: Response) -> Response:
        """Give an answer the cookie of the start token."""
        return self._set(answer, self._local_cookie, self._token, TOKEN_S)

    def _set(self, answer: Response, name: str, value: str, seconds: float) -> Response:
        https = self._options.https
        answer.set_cookie(name, value, max_age=int(seconds), httponly=True, samesite="strict", secure=https, path="/")
        return answer

    def _named_by_proxy(self, connection: HTTPConnection) -> User | None:
        """Return the user that the proxy names; None when there are two such headers: one came from outside."""
        proxy = self._options.proxy
        if proxy is None or not proxy.user_header or _peer(connection) not in proxy.addresses:
            return None
        names = connection.headers.getlist(proxy.user_header)
        name = _utf8(names[0]).strip() if len(names) == 1 else ""
        if not names and proxy.default_user:
            name = proxy.default_user
        if not 1 <= len(name) <= 80 or not name.isprintable() or not usable(name):
            return None
        return User(name, Role.OPERATE if name in proxy.operators else proxy.role, by_proxy=True)

    def _has_token(self, connection: HTTPConnection) -> bool:
        bearer = connection.headers.get("authorization", "").removeprefix("Bearer ")
        return self.is_token(connection.cookies.get(self._local_cookie) or bearer)


def _peer(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


def _utf8(value: str) -> str:
    """Return a header's text as most proxies mean it; Starlette reads Latin-1."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _loopback_name(headers: Mapping[str, str]) -> bool:
    """Whether the request's host name can only mean this machine."""
    try:
        name = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
