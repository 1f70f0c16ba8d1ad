"""Retained messages of a node, and those that it left on the broker under a name which it had before."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from leakear.edge.messages.reports import Identity
from leakear.edge.outbox.queue import Outbox

KEY = "retained"
"""name under which the outbox file remembers the topics"""


@dataclass
class Retained:
    """Retained messages of a node: topic → newest payload, and which of them the broker does not have yet."""

    payloads: dict[str, bytes]
    dirty: dict[str, None] = field(default_factory=dict)
    """an ordered set of topics"""
    left_behind: "LeftBehind | None" = None

    def set(self, topic: str, payload: bytes) -> None:
        """Keep the newest payload of a topic, and send it when the connection allows."""
        self.payloads[topic] = payload
        self.dirty[topic] = None

    def forget_left_behind(self, topic: str) -> bool:
        """Send no more to a topic of a former name: the broker has emptied it, or refuses it. False: it is none."""
        if self.left_behind is None or topic not in self.left_behind.topics:
            return False
        self.left_behind.emptied(topic)
        self.payloads.pop(topic, None)
        self.dirty.pop(topic, None)
        return True

    def send_all_again(self) -> None:
        """Send every retained message once more: the connection is new, or the broker forgot them."""
        self.dirty = dict.fromkeys(self.payloads)


class LeftBehind:
    """Topics that hold a retained message of this node, remembered on the disk.

    At the first start under another name those of the old name are emptied, so that no device of that name stays.
    """

    def __init__(self, outbox: Outbox, identity: Identity, own: Iterable[str]) -> None:
        saved = outbox.recall(KEY) or {}
        before = [str(name) for name in saved.get("node", [])]
        self.former = "/".join(before) if before and before != [identity.site, identity.node] else ""
        """site and name that this node had at its last start; empty: the same as now"""
        self._outbox, self._name, self._own = outbox, [identity.site, identity.node], list(own)
        self.topics = [str(topic) for topic in saved.get("topics", []) if topic not in self._own]
        """topics that are to be emptied"""
        self._save()

    def emptied(self, topic: str) -> None:
        """Note that the broker has emptied a topic, or refuses it for good."""
        if topic in self.topics:
            self.topics.remove(topic)
            self._save()

    def _save(self) -> None:
        self._outbox.remember(KEY, {"node": self._name, "topics": self._own + self.topics})
