"""paho's client with a limit for the size of a packet, and a network thread that no packet ends."""

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


class SizedClient(paho.Client):
    """Keeps only the beginning of a packet whose payload is larger than `largest` bytes; survives what is no MQTT.

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
    _ended = False

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

    def _sock_recv(self, bufsize: int) -> bytes:
        """Read some bytes; paho calls it with the bytes that are still to come of the packet."""
        packet = self._in_packet
        if packet["remaining_length"] > self.largest + HEAD and not isinstance(packet["packet"], _Head):
            packet["packet"] = head = _Head()
            head.room = self.largest + HEAD
        return super()._sock_recv(min(bufsize, CHUNK))
