"""The reader gives paho whole packets, and of a message that is too long its topic alone, for any size of pieces."""

from collections.abc import Callable

import pytest

from leakear.edge.mqtt.bounded_client import Reader
from leakear.edge.mqtt.refusals import packet_size


def length(value: int) -> bytes:
    written = b""
    while True:
        value, low = divmod(value, 128)
        written += bytes([low | (0x80 if value else 0)])
        if not value:
            return written


def publish(topic: str, payload: bytes, qos: int = 1, properties: bytes = b"") -> bytes:
    head = len(topic).to_bytes(2, "big") + topic.encode() + (b"\0\7" if qos else b"") + properties
    return bytes([0x30 | qos << 1]) + length(len(head) + len(payload)) + head + payload


def given(stream: bytes, piece: int) -> Callable[[int], bytes]:
    """A socket that has `piece` bytes at a time, and says between them that there is nothing."""
    left, turn = bytearray(stream), [0]

    def receive(size: int) -> bytes:
        turn[0] += 1
        if turn[0] % 3 == 0:
            raise BlockingIOError
        part = bytes(left[: min(size, piece)])
        del left[: len(part)]
        return part

    return receive


def everything(reader: Reader, receive: Callable[[int], bytes]) -> tuple[bytes, list[int]]:
    found, cut = b"", []
    while True:
        try:
            part = reader.read(4096, receive)
        except BlockingIOError:
            continue
        if not part:
            return found, cut
        found += part
        cut.append(reader.cut_bytes)


@pytest.mark.parametrize("piece", [1, 3, 1000, 10**9])
@pytest.mark.parametrize("qos", [0, 1])
def test_what_fits_passes_unchanged_and_what_is_too_long_loses_its_payload(piece: int, qos: int) -> None:
    small, pong = publish("a/b", b"x" * 300, qos), bytes([0xD0, 0])
    long = publish("a/long", bytes(20_000), qos)
    found, cut = everything(Reader(1000, version_5=False), given(small + pong + long + small, piece))
    assert found == small + pong + publish("a/long", b"", qos) + small
    assert {size for size in cut if size} == {len(long) - 4}


def test_properties_of_mqtt_5_go_with_the_payload() -> None:
    long = publish("a", bytes(5000), properties=b"\5\2\0\0\0\7")
    found, _ = everything(Reader(1000, version_5=True), given(long, 700))
    assert found == publish("a", b"", properties=b"\0")


@pytest.mark.parametrize(
    "packet", [bytes([0x90]) + length(5000) + bytes(5000), publish("a", bytes(2000))[:3] + b"\xff" * 2000]
)
def test_what_is_no_message_ends_the_connection(packet: bytes) -> None:
    with pytest.raises(ConnectionError, match="the broker sends"):
        everything(Reader(1000, version_5=False), given(packet, 100))


@pytest.mark.parametrize("size", [0, 100, 127, 128, 16_383, 16_384, 2_097_152])
@pytest.mark.parametrize("qos", [0, 1])
def test_the_size_of_a_packet_is_known(size: int, qos: int) -> None:
    assert packet_size.of_publish("a/b", bytes(size), qos=qos) == len(publish("a/b", bytes(size), qos))
    with_5 = len(publish("a/b", bytes(size), qos, b"\0"))
    assert packet_size.of_publish("a/b", bytes(size), qos=qos, properties=1) == with_5
