"""Connections of the page: of the local network, few, and none for long before its request has arrived."""

import http.server
import logging
import math
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any, BinaryIO

from leakear.edge.cli.setup.web import guard

SLOW_S = 10.0
"""s within which a request must have arrived"""
CONNECTIONS, OF_ONE_ADDRESS = 32, 12
"""at a time; a browser opens 6"""
MAX_HEAD = 2**14
"""bytes of a request's head"""
log = logging.getLogger("leakear.setup")


class Head:
    """A stream whose lines have MAX_HEAD bytes together: http.server itself would take 6 MB of headers."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._left = stream, MAX_HEAD

    def readline(self, most: int) -> bytes:
        """Read a line. Raises ConnectionError where the head is too large."""
        line = self._stream.readline(min(most, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise ConnectionError("the head of the request is too large")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Server(http.server.ThreadingHTTPServer):
    """Few threads at a time, each for one request that arrives within SLOW_S seconds."""

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, *given: Any) -> None:
        self._lock = threading.Lock()
        self._open: dict[Any, tuple[str, float]] = {}  # socket → address, and until when its request must be here
        super().__init__(*given)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for a connection, and it comes from the local network."""
        address = client_address[0]
        with self._lock:
            mine = sum(other == address for other, _ in self._open.values())
            if not guard.local(address) or len(self._open) >= CONNECTIONS or mine >= OF_ONE_ADDRESS:
                return False
            self._open[request] = address, time.monotonic() + SLOW_S
            return True

    def arrived(self, request: Any) -> None:
        """Say that a request is here: its answer may take as long as it needs."""
        with self._lock:
            if request in self._open:
                self._open[request] = self._open[request][0], math.inf

    def service_actions(self) -> None:
        """End the connections whose request did not arrive in time; called twice a second."""
        with self._lock:
            for request in [one for one, (_, until) in self._open.items() if until < time.monotonic()]:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's
        """Write no traceback for what a stranger can cause as often as he likes."""
        error = sys.exc_info()[1]
        log.log(logging.DEBUG if isinstance(error, OSError) else logging.ERROR, "a request failed: %a", error)
