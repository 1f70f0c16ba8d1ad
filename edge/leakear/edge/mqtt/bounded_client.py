"""A paho client that never reads a message larger than it may: the rest is thrown away, whatever the broker sends.

MQTT 5 tells the broker the largest packet (`MaximumPacketSize`); 3.1.1 cannot. A retained message of 60 MB would
otherwise be read whole at each connect. The length stands at the beginning of a packet: one that is too long reaches
paho as the same message with an empty payload, so that it is acknowledged as usual.
"""

from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho

PUBLISH = 3
PIECE = 2**16
"""bytes read at once of what is thrown away"""


class Reader:
    """Reads MQTT packets from `receive(size)`, which raises BlockingIOError when nothing has arrived."""

    def __init__(self, limit: int, *, version_5: bool) -> None:
        self.cut_bytes = 0
        """bytes of the present message if it is too long; 0: it is whole"""
        self._limit, self._version_5 = limit, version_5
        self._head = bytearray()
        self._ready = bytearray()
        """bytes for paho"""
        self._pass = self._skip = self._body = 0
        """bytes of the packet still to be passed on, to be thrown away, and of the whole body of a long one"""

    def read(self, size: int, receive: Callable[[int], bytes]) -> bytes:
        """Return up to `size` bytes; empty at the end of the connection. Raises OSError, BlockingIOError."""
        while not self._ready:
            if self._skip:
                data = receive(min(self._skip, PIECE))
                self._skip -= len(data)
            elif self._pass:
                data = receive(min(size, self._pass))
                self._pass -= len(data)
                return data
            else:
                data = receive(self._missing())
                self._head += data
                self._look_at_head()
            if not data:
                return b""
        part = bytes(self._ready[:size])
        del self._ready[:size]
        return part

    def _missing(self) -> int:
        """Bytes wanted next: the fixed header byte by byte, then topic and number of a message that is too long."""
        return 1 if not self._body else self._wanted() - len(self._head)

    def _look_at_head(self) -> None:
        if self._body:
            self._shorten()
        elif len(self._head) >= 2 and (self._head[-1] < 0x80 or len(self._head) == 5):
            body = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(self._head[1:]))
            self.cut_bytes = 0
            if body <= self._limit or self._head[0] >> 4 != PUBLISH:
                if body > self._limit:
                    raise ConnectionError(f"the broker sends a packet of {body} bytes that is no message")
                self._ready, self._head, self._pass = self._head, bytearray(), body
                return
            self._body, self._head = body, self._head[:1]

    def _wanted(self) -> int:
        """Bytes of flags, topic and number; the length of the topic must be known first."""
        if len(self._head) < 3:
            return 3
        numbered = 2 if self._head[0] & 0x06 else 0
        return 3 + int.from_bytes(self._head[1:3], "big") + numbered

    def _shorten(self) -> None:
        if len(self._head) < 3:
            return
        if self._wanted() - 1 > self._body:
            raise ConnectionError("the broker sends a message whose topic is longer than itself")
        if len(self._head) < self._wanted():
            return
        rest = bytes(self._head[1:]) + (b"\0" if self._version_5 else b"")
        self._skip = self._body - (len(self._head) - 1)
        self.cut_bytes, self._body = self._body, 0
        self._ready = bytearray((self._head[0], *_length(len(rest)))) + rest
        self._head = bytearray()


class BoundedClient(paho.Client):
    """A paho client whose incoming packets have at most `limit` bytes."""

    def __init__(self, *arguments: Any, limit: int, version_5: bool, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.reader = Reader(limit, version_5=version_5)

    def _sock_recv(self, bufsize: int) -> bytes:
        return self.reader.read(bufsize, super()._sock_recv)


def _length(length: int) -> bytes:
    """Write a variable byte integer."""
    written = bytearray()
    while True:
        length, low = divmod(length, 128)
        written.append(low | (0x80 if length else 0))
        if not length:
            return bytes(written)
