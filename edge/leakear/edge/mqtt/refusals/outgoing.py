"""A message on its way to the broker, and the name under which it is suspected and held back."""

from dataclasses import dataclass

from leakear.edge.mqtt.refusals.suspects import Suspect


@dataclass(frozen=True)
class Outgoing:
    """A publish, or a subscription, before and while it waits for the broker's answer."""

    topic: str
    payload: bytes = b""
    seq: int = 0
    """of the event; 0: not an event"""
    retain: bool = False
    """a retained message of this node"""
    subscription: bool = False
    at: float = 0.0
    """s, monotonic, when it was sent; of a command's result that waits, since when"""
    again: bool = False
    """sent before, over a connection that ended without the broker's answer"""

    @property
    def key(self) -> str:
        """Name under which it is suspected and held back."""
        if self.seq:
            return f"{self.topic}#{self.seq}"
        return f"subscription to {self.topic}" if self.subscription else self.topic

    @property
    def suspect(self) -> Suspect:
        """What is known of it when the connection is cut."""
        topic = self.key if self.subscription else self.topic
        return Suspect(self.key, topic, len(self.payload), event=bool(self.seq))
