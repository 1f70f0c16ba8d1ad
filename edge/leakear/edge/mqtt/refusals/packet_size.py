"""Size of an MQTT PUBLISH packet, so that one which the broker does not take is never sent."""


def of_publish(topic: str, payload: bytes, *, properties: int = 0, qos: int = 1) -> int:
    """Bytes of the whole packet. `properties`: bytes of MQTT 5's properties with their length; 0 with 3.1.1."""
    body = 2 + len(topic.encode()) + (2 if qos else 0) + properties + len(payload)
    return 1 + _length_bytes(body) + body


def _length_bytes(length: int) -> int:
    """Bytes of a variable byte integer: 7 bits each."""
    return max(1, -(-length.bit_length() // 7))
