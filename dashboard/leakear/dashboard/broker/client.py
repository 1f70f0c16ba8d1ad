"""paho's client with limits for size and number of messages, and a network thread that no packet ends."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode

log = logging.getLogger(__name__)

CHUNK = 64 * 1024
"""most bytes that are read at once"""
CHUNKS = 16
"""read one after the other, before what waits to be sent has its turn"""
AGAIN_S = 2.0
"""seconds until a connection that failed unexpectedly is made again"""
HEAD = 66 * 1024
"""bytes of a packet before its payload at most: a topic has up to 65,535"""


class _Head(bytearray):
    """The beginning of a packet; what is added beyond `room` bytes is dropped."""

    room = 0

    def __iadd__(self, data: Any) -> Self:  # type: ignore[misc]
        self.extend(data[: max(0, self.room - len(self))])
        return self


class LimitedClient(paho.Client):
    """Keeps only the beginning of a packet whose payload is larger than `largest` bytes; survives what is no MQTT.

    What `wanted` refuses is acknowledged and dropped before anything else of it is looked at, and the socket is read in
    large pieces: many times as many such messages a second as paho takes by itself.

    paho's thread ends with an exception when a packet cannot be read: nothing would come any more, and nothing would
    say so. Here the connection ends, and a new one is made.

    MQTT 5 tells the broker the limit (`MaximumPacketSize`) and such a packet does not come. MQTT 3.1.1 has no such
    limit: the length in the fixed header says it, the packet is read and dropped in small pieces, and `on_message` gets
    more than `largest` bytes of its payload, so that the message is refused and acknowledged, and not sent again.
    """

    largest = 256 * 1024
    """bytes of a payload"""
    failed: Callable[[Exception], None] = staticmethod(lambda _: None)
    """called when a connection has failed unexpectedly"""
    wanted: Callable[[bytes], bool] | None = None
    """whether to take a message on this topic; None: all. Needs `manual_ack`"""
    _ended = False
    _received, _at = b"", 0
    """bytes of the socket, and how many of them paho has taken"""
    _read = 0
    """pieces read since what waits to be sent had its turn"""
    _taken = False
    """whether `wanted` has taken the message that comes next"""

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        """Serve connections until `disconnect`."""
        while True:
            try:
                return super().loop_forever(timeout, retry_first_connection)
            except Exception as error:  # what a broker can send has no end
                log.warning("the connection to the broker failed unexpectedly: %s", ascii(repr(error))[:300])
                log.debug("it failed", exc_info=True)
                self.failed(error)
            time.sleep(AGAIN_S)
            if self._ended:
                return MQTTErrorCode.MQTT_ERR_CONN_LOST
            with suppress(OSError):
                self.reconnect()
            if self._ended:  # meanwhile
                super().disconnect()

    def disconnect(self, *values: Any, **named: Any) -> MQTTErrorCode:
        """End the connection, and make no new one."""
        self._ended = True
        return super().disconnect(*values, **named)

    def reconnect(self) -> MQTTErrorCode:
        """Begin a new connection."""
        self._received, self._at, self._taken = b"", 0, False
        return super().reconnect()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read from the socket, and handle all packets that have been read."""
        self._read = 0
        while True:
            if self.wanted is not None and not self._in_packet["command"]:
                self._skip_unwanted(self.wanted)
            done = super().loop_read(max_packets)
            if done != MQTTErrorCode.MQTT_ERR_SUCCESS or self._at == len(self._received):
                return done

    def _packet_handle(self) -> MQTTErrorCode:
        """Handle a packet; one that came in pieces was not looked at before."""
        command, packet = self._in_packet["command"], self._in_packet["packet"]
        taken, self._taken = self._taken, False
        if self.wanted is None or taken or command & 0xF0 != paho.PUBLISH or len(packet) < 4:
            return super()._packet_handle()
        end = 2 + int.from_bytes(packet[:2], "big")
        if self.wanted(bytes(packet[2:end])):
            return super()._packet_handle()
        return self._acknowledge_unread(command, bytes(packet[end : end + 2]))

    def _skip_unwanted(self, wanted: Callable[[bytes], bool]) -> None:
        """Pass over whole messages that are not wanted; the first one that is, or comes in pieces, is left to paho."""
        data, size = self._received, len(self._received)
        while self._at + 6 < size and (command := data[self._at]) & 0xF0 == paho.PUBLISH:
            start, length = _remaining(data, self._at + 1)
            topic = start + 2 + (data[start] << 8 | data[start + 1])
            if start + length > size or topic + 2 > start + length:
                return
            if wanted(data[start + 2 : topic]):
                self._taken = True
                return
            self._at = start + length
            self._acknowledge_unread(command, data[topic : topic + 2])

    def _acknowledge_unread(self, command: int, mid: bytes) -> MQTTErrorCode:
        qos = command >> 1 & 3
        return self.ack(int.from_bytes(mid, "big"), qos) if qos else MQTTErrorCode.MQTT_ERR_SUCCESS

    def _sock_recv(self, bufsize: int) -> bytes:
        """Read some bytes; paho calls it with the bytes that are still to come of the packet."""
        packet = self._in_packet
        if packet["remaining_length"] > self.largest + HEAD and not isinstance(packet["packet"], _Head):
            packet["packet"] = head = _Head()
            head.room = self.largest + HEAD
        if self._at == len(self._received):
            if self._read == CHUNKS:
                raise BlockingIOError
            self._read += 1
            self._received, self._at = super()._sock_recv(CHUNK), 0
        start, self._at = self._at, min(self._at + bufsize, len(self._received))
        return self._received[start : self._at]


def _remaining(data: bytes, at: int) -> tuple[int, int]:
    """Read a packet's length: where its content begins, and the bytes of it (more than there are, when unreadable)."""
    length, shift = 0, 0
    while at < len(data) - 2 and shift < 28:
        length |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 128:
            return at, length
    return at, len(data)
