"""The HTTP server of the page: the standard library's, for one person, for half an hour."""

import http.server
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any

from leakear.edge.audio.microphone import Source
from leakear.edge.cli.setup.web.connections import SLOW_S, Head, Server
from leakear.edge.cli.setup.web.guard import COOKIE, Guard
from leakear.edge.cli.setup.web.session import Session
from leakear.edge.errors import ConfigError

log = logging.getLogger("leakear.setup")

OPEN_S = 1800.0
"""s after which the page ends by itself"""
FAREWELL_S = 5.0
"""s for which it stays after the success, so that the answer arrives"""
MAX_BODY, MAX_STRANGER = 2**19, 2**10
"""bytes of a request: a CA file in base64 and the answers; without a session: a code"""
FILES = {
    "/": ("page.html", "text/html"), "/page.js": ("page.js", "text/javascript"), "/page.css": ("page.css", "text/css"),
    "/en.json": ("en.json", "application/json"), "/pt-BR.json": ("pt-BR.json", "application/json"),
}  # fmt: skip
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
}  # fmt: skip


def serve(config: Path, address: str, port: int, source: Source, open_s: float = OPEN_S) -> int:
    """Serve the page until the configuration is written (0), or until the time or the tries are over (1).

    `open_s`: seconds for which it is open. Raises ConfigError where it cannot listen at this address.
    """
    who, session = Guard(address), Session(config, source)
    try:
        server = Server((address, port), partial(Handler, who, session))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"--listen {address} --port {port} cannot be used: {why}; name others") from None
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://{_shown(address)}:{server.server_address[1]}/"
        print(
            f"Open {place} in a browser of this network and type the code {who.code} (for {open_s / 60:g} minutes).",
            flush=True,
        )
        done = _wait(who, session, time.monotonic() + open_s)
        server.shutdown()
        session.meter.close()
    print(session.written or ("too many wrong codes" if who.closed else "nobody has finished it: start it again"))
    return 0 if done else 1


def _wait(who: Guard, session: Session, deadline: float) -> bool:
    while not session.done.wait(0.2):
        if who.closed or time.monotonic() > deadline:
            return False
    time.sleep(FAREWELL_S)
    return True


def _shown(address: str) -> str:
    """Return the address that a person types."""
    return socket.gethostname() if address in ("0.0.0.0", "::", "") else address  # noqa: S104 - only compared


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    timeout = SLOW_S
    server_version, sys_version = "leakear-setup", ""

    def __init__(self, who: Guard, session: Session, *rest: Any) -> None:
        self._guard, self._session = who, session
        super().__init__(*rest)

    def setup(self) -> None:
        """Read no head without end."""
        super().setup()
        self.rfile: Any = Head(self.rfile)

    def parse_request(self) -> bool:
        """Read the head; answer by no name that another site could point here."""
        if not super().parse_request():
            return False
        if self._guard.own_name(self.headers.get("Host", "")):
            return True
        self._answer(HTTPStatus.MISDIRECTED_REQUEST, {"error": "open this page by the address or name of the node"})
        return False

    def do_GET(self) -> None:
        """Send a file of the page."""
        found = FILES.get(self.path)
        if found is None:
            self._answer(HTTPStatus.NOT_FOUND, {})
            return
        name, kind = found
        data = files("leakear.edge.cli.setup.web").joinpath("static", name).read_bytes()
        self._send(HTTPStatus.OK, data, f"{kind}; charset=utf-8")

    def do_POST(self) -> None:
        """Answer a question of the page."""
        admitted = self._guard.admits(dict(self.headers.items()))
        given, name = self._body(MAX_BODY if admitted else MAX_STRANGER), self.path.removeprefix("/ask/")
        if given is None:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": "bad request"})
        elif name == "open":
            self._open(str(given.get("code", "")))
        elif not admitted:
            self._answer(HTTPStatus.FORBIDDEN, {"error": "forbidden"})
        elif name not in self._session.asks:
            self._answer(HTTPStatus.NOT_FOUND, {"error": "unknown"})
        else:
            self._answer(HTTPStatus.OK, self._session.ask(name, given))

    def _open(self, code: str) -> None:
        address = self.client_address[0]
        opened = self._guard.open(code, address)
        if opened is None:
            self._answer(HTTPStatus.FORBIDDEN, {"error": "code", "left": self._guard.left(address)})
            return
        cookie, token = opened
        self._answer(HTTPStatus.OK, {"token": token}, f"{COOKIE}={cookie}; HttpOnly; SameSite=Strict; Path=/")

    def _body(self, most: int) -> Mapping[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        kind = self.headers.get("Content-Type", "").partition(";")[0]
        if re.fullmatch("[0-9]{1,7}", length) is None or int(length) > most or kind != "application/json":
            return None
        try:
            found = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            return None
        self.server.arrived(self.connection)
        return found if isinstance(found, dict) else None

    def _answer(self, status: HTTPStatus, found: Mapping[str, Any], cookie: str = "") -> None:
        self._send(status, json.dumps(found).encode(), "application/json", cookie)

    def _send(self, status: HTTPStatus, data: bytes, kind: str, cookie: str = "") -> None:
        self.send_response(status)
        for name, value in (HEADERS | {"Content-Type": kind, "Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Write no line for each request: a meter asks four times a second."""
        log.debug(format, *args)
