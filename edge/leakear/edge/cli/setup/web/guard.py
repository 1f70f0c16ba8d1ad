"""Who may use the page: a device of the local network whose person has read the one-time code from the console.

The code opens one session, once. Wrong ones are counted: an address has TRIES, and after ALL_TRIES the page ends; once
a session is open they change nothing. A request that changes something must come from the page itself: its cookie goes
to no other site's requests (SameSite), its token is in a header that no form of another site can set, and its origin
is that of the page. The page answers only to names that another site cannot point at it.
"""

import hmac
import ipaddress
import secrets
import socket
import threading
from collections import Counter
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

TRIES, ALL_TRIES = 10, 1000
"""wrong codes after which an address may try no more, and after which the page ends; there are 8e11 codes"""
SUFFIXES = ("", ".local", ".lan", ".home", ".home.arpa", ".internal", ".localdomain", ".fritz.box")
"""what local networks put behind a host's name; nobody else can own such a name"""
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""letters of a code: none that looks like another"""
COOKIE, HEADER = "leakear-setup", "X-Leakear-Setup"


class Guard:
    """The code, the session, and the tries so far. `listen`: the name of --listen, which is this machine's too."""

    def __init__(self, listen: str = "") -> None:
        self._listen = listen
        letters = "".join(secrets.choice(ALPHABET) for _ in range(8))
        self.code = f"{letters[:4]}-{letters[4:]}"
        """what a person types"""
        self._wrong: Counter[str] = Counter()  # by address
        self._session: str | None = None
        self._token = ""
        self._lock = threading.Lock()

    @property
    def closed(self) -> bool:
        """Whether there were too many wrong codes."""
        return self._wrong.total() >= ALL_TRIES

    def left(self, address: str) -> int:
        """Return how many codes may still be tried from an address."""
        return max(0, TRIES - self._wrong[address])

    def open(self, code: str, address: str) -> tuple[str, str] | None:
        """Return cookie and token of the session that this code opens; None: it is wrong, or was used already."""
        given = code.strip().upper().replace("-", "").replace(" ", "").encode(errors="replace")
        right = hmac.compare_digest(given, self.code.replace("-", "").encode())
        with self._lock:
            if self._session is not None:
                return None
            if not right or self.closed or not self.left(address):
                self._wrong[address] += 1
                return None
            self._session, self._token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
            return self._session, self._token

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether a request belongs to the session."""
        cookie = _cookie(headers.get("Cookie", ""))
        token = headers.get(HEADER, "")
        if self._session is None or not _same_origin(headers):
            return False
        return hmac.compare_digest(cookie.encode(), self._session.encode()) and hmac.compare_digest(
            token.encode(), self._token.encode()
        )

    def own_name(self, host: str) -> bool:
        """Whether a Host header names this machine by an address or a local name.

        The name of a site that points here (DNS rebinding) does not.
        """
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
            if name and name in ("localhost", self._listen.lower(), *_local_names()):
                return True
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return False
        return True


def local(address: str) -> bool:
    """Whether an address is of this machine or of a local network."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return found.is_private or found.is_loopback or found.is_link_local


def _local_names() -> list[str]:
    return [f"{socket.gethostname().lower()}{end}" for end in SUFFIXES]


def _same_origin(headers: Mapping[str, str]) -> bool:
    origin = headers.get("Origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("Host")
    except ValueError:
        return False


def _cookie(text: str) -> str:
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
