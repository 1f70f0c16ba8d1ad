"""GET /metrics: one thread, few connections, none for long; it reads a snapshot and nothing of the node.

A request that is too large, too slow or one too many is closed. An address that cannot be used is said once and tried
again: figures are never worth a node that does not listen to its pipe.
"""

import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from leakear.edge.metrics.exposition import CONTENT_TYPE
from leakear.edge.metrics.options import MetricsOptions

CONNECTIONS = 8
"""at a time"""
MAX_HEAD = 4096
"""bytes of a request"""
SLOW_S = 5.0
"""s for which a connection may last"""
AGAIN_S = 60.0
"""s after which an address that could not be used is tried again"""
_LOOKS_S = 0.5
"""s between looks for connections that last too long, while there is one"""
log = logging.getLogger("leakear.metrics")


@dataclass
class _Connection:
    """One request and its answer."""

    until: float
    """monotonic s"""
    head: bytearray = field(default_factory=bytearray)
    answer: memoryview | None = None
    """what is still to be sent; None: the request is not whole yet"""


class MetricsServer:
    """Answers in a thread of its own, from `start` to the end of the context."""

    def __init__(self, options: MetricsOptions, read: Callable[[], bytes]) -> None:
        """`read` returns the text of /metrics; empty: there is none yet."""
        self._options, self._read = options, read
        self._ended = threading.Event()
        self._woken, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self.port = 0
        """at which it listens; 0: not yet"""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._wake.send(b"\0")
        self._thread.join(2)
        self._wake.close()
        self._woken.close()

    def _serve(self) -> None:
        listener = self._listener()
        if listener is None:
            return
        with listener, selectors.DefaultSelector() as selector:
            self.port = listener.getsockname()[1]
            selector.register(listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._ended.is_set():
                for key, _ in selector.select(_LOOKS_S if _open(selector) else None):
                    if key.fileobj is listener:
                        _accept(listener, selector)
                    elif key.data is not None:
                        self._go_on(key, selector)
                _close_slow(selector)
            for key in _open(selector):
                _close(key, selector)

    def _listener(self) -> socket.socket | None:
        """Return the listening socket, tried until there is one; None: the node ends."""
        said = False
        family = socket.AF_INET6 if ":" in self._options.listen else socket.AF_INET
        while not self._ended.is_set():
            listener = socket.socket(family, socket.SOCK_STREAM)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((self._options.listen, self._options.port))
                listener.listen(CONNECTIONS)
                listener.setblocking(False)
            except OSError as error:
                listener.close()
                if not said:
                    where = f"[metrics] {self._options.listen} port {self._options.port}"
                    log.error("%s cannot be used (%s): tried again every minute", where, error.strerror)  # noqa: TRY400
                said = True
                self._ended.wait(AGAIN_S)
            else:
                return listener
        return None

    def _go_on(self, key: selectors.SelectorKey, selector: selectors.BaseSelector) -> None:
        """Read or write what is there; close what has ended."""
        line, connection = key.fileobj, key.data
        assert isinstance(line, socket.socket)
        try:
            if connection.answer is None:
                given = line.recv(MAX_HEAD + 1 - len(connection.head))
                connection.head += given
                whole = b"\r\n\r\n" in connection.head or b"\n\n" in connection.head
                if not given or (not whole and len(connection.head) > MAX_HEAD):
                    _close(key, selector)
                    return
                if not whole:
                    return
                connection.answer = memoryview(self._answer(bytes(connection.head)))
                selector.modify(line, selectors.EVENT_WRITE, connection)
            connection.answer = connection.answer[line.send(connection.answer) :]
            if not connection.answer:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_WR)
                _close(key, selector)
        except BlockingIOError:
            return
        except OSError:  # the other side has left
            _close(key, selector)

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        target = rest.partition(b" ")[0].partition(b"?")[0]
        if target != b"/metrics":
            return _response("404 Not Found", b"Use /metrics.\n")
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", b"Use GET.\n")
        text = self._read()
        if not text:
            return _response("503 Service Unavailable", b"No figures yet: the node has just started.\n")
        return _response("200 OK", text, kind=CONTENT_TYPE, body=method == b"GET")


def _response(status: str, text: bytes, *, kind: str = "text/plain; charset=utf-8", body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (text if body else b"")


def _accept(listener: socket.socket, selector: selectors.BaseSelector) -> None:
    try:
        line, _ = listener.accept()
    except OSError:  # it has left already, or there are no file descriptors
        return
    if len(_open(selector)) >= CONNECTIONS:
        line.close()
        return
    line.setblocking(False)
    selector.register(line, selectors.EVENT_READ, _Connection(time.monotonic() + SLOW_S))


def _close_slow(selector: selectors.BaseSelector) -> None:
    now = time.monotonic()
    for key in _open(selector):
        if key.data.until < now:
            _close(key, selector)


def _open(selector: selectors.BaseSelector) -> list[selectors.SelectorKey]:
    return [key for key in selector.get_map().values() if key.data is not None]


def _close(key: selectors.SelectorKey, selector: selectors.BaseSelector) -> None:
    selector.unregister(key.fileobj)
    if isinstance(key.fileobj, socket.socket):
        key.fileobj.close()
