"""Reads what the broker delivered: topic and payload to a message, and a plain complaint when that fails."""

from dataclasses import dataclass

from leakear.dashboard.subscriber import Incoming
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
    """A delivery that was understood."""

    who: Identity
    message: Known
    source: Incoming


@dataclass(frozen=True, slots=True)
class Unread:
    """A delivery that was not; `who` is None when even the topic makes no sense."""

    who: Identity | None
    why: str
    source: Incoming


def read(item: Incoming) -> Read | Unread | None:
    """Understand one delivery; None for an emptied retained topic, which says that there is nothing any more."""
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
        return Unread(who, f"{suffix} names {message.site}/{message.node}, which is not where it came from.", item)
    return Read(who, message, item)
