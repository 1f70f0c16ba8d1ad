"""Parses what the broker delivered: topic and payload → a message, or the reason why it cannot be read."""

from dataclasses import dataclass

from leakear.dashboard.broker.subscriber import Incoming
from leakear.edge.messages.reports import (
    Availability,
    CommandResult,
    Event,
    Identity,
    MessageError,
    Spectrum,
    State,
    Telemetry,
)

KINDS: dict[str, type[Availability | State | Event | Telemetry | Spectrum]] = {
    "availability": Availability,
    "state": State,
    "event": Event,
    "telemetry": Telemetry,
    "spectrum": Spectrum,
}
Known = Availability | State | Event | Telemetry | Spectrum | CommandResult


@dataclass(frozen=True, slots=True)
class Read:
    """A delivery that was parsed."""

    who: Identity
    message: Known
    source: Incoming


@dataclass(frozen=True, slots=True)
class Unread:
    """A delivery that could not be parsed; `who` is None when its topic is invalid."""

    who: Identity | None
    why: str
    source: Incoming


def read(item: Incoming) -> Read | Unread | None:
    """Parse one delivery; None for an empty payload, which deletes a retained message."""
    try:
        who, suffix = Identity.parse_topic(item.topic)
    except MessageError as error:
        return Unread(None, str(error), item)
    if not item.payload:
        return None
    kind = KINDS.get(suffix, CommandResult if suffix.startswith("cmd/") else None)
    if kind is None:
        return Unread(who, f"There is no topic {suffix[:80]!a}.", item)
    try:
        message = kind.from_json(item.payload)
    except MessageError as error:
        return Unread(who, str(error), item)
    if isinstance(message, State | Event) and (message.site, message.node) != (who.site, who.node):
        return Unread(who, f"{suffix} names {message.site}/{message.node}, which does not match its topic.", item)
    return Read(who, message, item)
