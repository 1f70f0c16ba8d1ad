"""Parses what the broker delivered: topic and payload → a message, or the reason why it cannot be read."""

import logging
from dataclasses import dataclass

from leakear.dashboard.broker.subscriber import Incoming
from leakear.edge.messages.reports import (
    Availability,
    Event,
    Identity,
    MessageError,
    Spectrum,
    State,
    Telemetry,
)

log = logging.getLogger(__name__)
KINDS: dict[str, type[Availability | State | Event | Telemetry | Spectrum]] = {
    "availability": Availability,
    "state": State,
    "event": Event,
    "telemetry": Telemetry,
    "spectrum": Spectrum,
}
Known = Availability | State | Event | Telemetry | Spectrum


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
    who = None
    try:
        who, suffix = Identity.parse_topic(item.topic)
        return _read(who, suffix, item)
    except MessageError as error:
        return Unread(who, str(error), item)
    except Exception:  # else the broker would bring it again at each start
        log.exception("a message of %s cannot be read because of a mistake in this program", item.topic[:150])
        return Unread(who, "It cannot be read: see the dashboard's log.", item)


def _read(who: Identity, suffix: str, item: Incoming) -> Read | None:
    """Parse one delivery of a node. Raises MessageError."""
    if item.too_large:
        raise MessageError(f"{suffix[:80]} is larger than {item.too_large} bytes.")
    if not item.payload:
        return None
    kind = KINDS.get(suffix)
    if kind is None:
        raise MessageError(f"There is no topic {suffix[:80]!a}.")
    message = kind.from_json(item.payload)
    if isinstance(message, State | Event) and (message.site, message.node) != (who.site, who.node):
        raise MessageError(f"{suffix} names {message.site}/{message.node}, which does not match its topic.")
    return Read(who, message, item)
