"""Limits the connections to the page: their number, the time until a request is complete, and that to read an answer.

A connection that says nothing, or reads nothing, holds a file descriptor (with the file that it is sent: two). Without
a limit below the process's own, a thousand of them would leave none for the broker, the database and the notifications.
"""

import asyncio
import logging
import resource
import socket
from collections import Counter
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)
REQUEST_S = 15.0
"""seconds from the beginning of a connection, or of a further request, until the request is complete; also seconds for
which a client may read nothing of an answer that waits for it"""
MOST, FEWEST = 1000, 16
"""connections at a time"""
ENDING = 32
"""connections beyond it that are shut down and not closed yet"""
RESERVE = 128
"""file descriptors for broker, database, notifications and files"""
PER_ADDRESS = 200
"""connections from one address at a time; not for loopback and proxies, behind which many people are"""
WANTED_FILES = 4096
"""descriptors that the process asks for, where the system allows it"""


def most_connections() -> int:
    """Raise the limit of descriptors as far as the system lets us; return how many connections that leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(WANTED_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return MOST if soft == resource.RLIM_INFINITY else max(FEWEST, min(MOST, (soft - RESERVE) // 2))


class Connection(socket.socket):
    """An accepted connection that reports its end."""

    listener: "Listener"
    address = ""
    deadline: asyncio.TimerHandle | None = None
    """end of the time for the present request; None while none is awaited"""

    def close(self) -> None:
        """Close, and make room for another."""
        self.listener.gone(self)
        super().close()


class Listener(socket.socket):
    """A listening socket that accepts a limited number of connections, and gives each a time for its request.

    When all are in use, the connection gives way that has waited longest without a complete request, or without reading
    its answer.
    """

    most = MOST
    per_address = PER_ADDRESS
    exempt: frozenset[str] = frozenset()
    """addresses without a limit of their own: proxies"""

    def __init__(self, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self.refused = 0
        """connections closed at once, or before their first request"""
        self._all: dict[int, Connection] = {}
        """by descriptor, until it is closed"""
        self._open: dict[int, Connection] = {}
        """those that were not ended"""
        self._waiting: dict[int, Connection] = {}
        """those whose request is not complete, the oldest first"""
        self._addresses: Counter[str] = Counter()

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection; BlockingIOError when there is none, or none that may stay."""
        while True:
            if len(self._all) >= self.most + ENDING:
                raise BlockingIOError  # the event loop first closes those that were ended
            descriptor, peer = self._accept()  # type: ignore[attr-defined]
            made = Connection(self.family, self.type, self.proto, fileno=descriptor)
            made.setblocking(False)
            made.listener, made.address = self, str(peer[0])
            self._all[descriptor] = self._open[descriptor] = made
            self._addresses[made.address] += 1
            if self._may_stay(made):
                self.expect(descriptor)
                return made, peer
            self.refused += 1
            log.warning("a connection from %s is refused: too many are open", made.address)
            made.close()

    def expect(self, descriptor: int) -> None:
        """Begin the time for a request on a connection, unless it runs already."""
        made = self._open.get(descriptor)
        if made is not None and made.deadline is None:
            self._waiting[descriptor] = made
            made.deadline = asyncio.get_running_loop().call_later(REQUEST_S, self._too_late, made)

    def complete(self, descriptor: int) -> None:
        """End the time: the request is complete."""
        made = self._waiting.pop(descriptor, None)
        if made is not None and made.deadline is not None:
            made.deadline.cancel()
            made.deadline = None

    def gone(self, made: Connection) -> None:
        """Forget a connection that is closed."""
        if self._all.get(made.fileno()) is made:
            del self._all[made.fileno()]
            self._count_out(made)

    def _may_stay(self, made: Connection) -> bool:
        many = self._addresses[made.address] > self.per_address and not self._is_exempt(made.address)
        if many or len(self._open) > self.most:
            mine = (each for each in self._waiting.values() if not many or each.address == made.address)
            oldest = next(mine, None)
            if oldest is None:
                return False
            self._end(oldest)
        return True

    def _is_exempt(self, address: str) -> bool:
        return address in self.exempt or address.startswith(("127.", "::1", "::ffff:127."))

    def _too_late(self, made: Connection) -> None:
        log.warning("a connection from %s is closed: no complete request within %g s", made.address, REQUEST_S)
        self._end(made)

    def _end(self, made: Connection) -> None:
        """Shut a connection down; the event loop then closes it."""
        self.refused += 1
        self._count_out(made)
        with suppress(OSError):
            made.shutdown(socket.SHUT_RDWR)

    def _count_out(self, made: Connection) -> None:
        """Let a connection that ends take no room any more."""
        if self._open.get(made.fileno()) is made:
            self.complete(made.fileno())
            del self._open[made.fileno()]
            self._addresses[made.address] -= 1
            if not self._addresses[made.address]:
                del self._addresses[made.address]


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP protocol that tells the listener when a client has the next turn, and when it has taken it."""

    listener: Listener
    unread = False
    """whether the client reads too little of its answer"""

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        descriptor = self._descriptor()
        self.listener.expect(descriptor)
        super().data_received(data)
        if not self._awaits_request() and not self.unread:
            self.listener.complete(descriptor)

    def pause_writing(self) -> None:
        """Begin the time for reading an answer."""
        self.unread = True
        self.listener.expect(self._descriptor())
        super().pause_writing()

    def resume_writing(self) -> None:
        """End it: the client has read."""
        self.unread = False
        if not self._awaits_request():
            self.listener.complete(self._descriptor())
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Begin the time for the next request; end the connection of who has sent one before the answer.

        Browsers do not, and thousands of requests in one packet would keep the server busy for minutes.
        """
        if self.transport.get_protocol() is self:
            self.listener.expect(self._descriptor())
            if self.conn.trailing_data[0]:
                self.transport.close()
        super().on_response_complete()

    def _awaits_request(self) -> bool:
        """Whether a part of the request is still to come."""
        if self.transport.get_protocol() is not self:
            return False  # a WebSocket now
        return self.cycle is None or self.cycle.more_body or self.cycle.response_complete

    def _descriptor(self) -> int:
        found = self.transport.get_extra_info("socket")
        return -1 if found is None else int(found.fileno())
