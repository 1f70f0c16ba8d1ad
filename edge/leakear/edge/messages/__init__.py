"""Contract: every message of the MQTT contract as a typed class, with one codec for both directions."""

from leakear.edge.messages.codec import MessageError
from leakear.edge.messages.reports import (
    Availability,
    CommandResult,
    Event,
    Identity,
    ModelRef,
    Spectrum,
    State,
    Telemetry,
    parse_utc,
    utc_now,
    utc_text,
    uuid7,
)

__all__ = [
    "Availability",
    "CommandResult",
    "Event",
    "Identity",
    "MessageError",
    "ModelRef",
    "Spectrum",
    "State",
    "Telemetry",
    "parse_utc",
    "utc_now",
    "utc_text",
    "uuid7",
]
