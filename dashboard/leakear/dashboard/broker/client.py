"""paho's client with a limit for the size of a packet, known before the packet is read."""

from typing import Any, Self

import paho.mqtt.client as paho

CHUNK = 64 * 1024
"""most bytes that are read at once"""
HEAD = 66 * 1024
"""bytes of a packet before its payload at most: a topic has up to 65,535"""


class _Head(bytearray):
    """The beginning of a packet; what is added beyond `room` bytes is dropped."""

    room = 0

    def __iadd__(self, data: Any) -> Self:  # type: ignore[misc]
        self.extend(data[: max(0, self.room - len(self))])
        return self


class SizedClient(paho.Client):
    """Keeps only the beginning of a packet whose payload is larger than `largest` bytes.

    MQTT 5 tells the broker the limit (`MaximumPacketSize`) and such a packet does not come. MQTT 3.1.1 has no such
    limit: the length in the fixed header says it, the packet is read and dropped in small pieces, and `on_message` gets
    more than `largest` bytes of its payload, so that the message is refused and acknowledged, and not sent again.
    """

    largest = 256 * 1024
    """bytes of a payload"""

    def _sock_recv(self, bufsize: int) -> bytes:
        """Read some bytes; paho calls it with the bytes that are still to come of the packet."""
        packet = self._in_packet
        if packet["remaining_length"] > self.largest + HEAD and not isinstance(packet["packet"], _Head):
            packet["packet"] = head = _Head()
            head.room = self.largest + HEAD
        return super()._sock_recv(min(bufsize, CHUNK))
