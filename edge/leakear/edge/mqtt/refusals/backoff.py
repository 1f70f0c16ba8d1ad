"""How long to wait before the next attempt: doubling, random, and longer where only a person can help."""

import random
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Waits between connection attempts, s. Random, so that a thousand nodes do not come back at the same moment."""

    first_s: float
    last_s: float
    refused_s: float
    """at least this long after a refusal that only a person can end"""
    _next_s: float = field(init=False, default=0.0)

    def wait(self, *, refused: bool, lasted_s: float) -> float:
        """Return the wait after an attempt that failed, or after a connection that held for `lasted_s`."""
        if lasted_s > 2 * self._next_s:  # it worked: start again
            self._next_s = 0.0
        wait = max(self._next_s, self.first_s)
        if refused:
            wait = max(wait, self.refused_s)
        self._next_s = min(2 * wait, max(self.last_s, self.refused_s))
        return wait * random.uniform(0.5, 1.0)


SHOWN = 5
"""sentences shown at the most"""
HOLD_LAST_S = 3600.0
"""s between attempts at a refused topic at the most"""


class RefusedTopics:
    """Topics (or single events) that the broker refuses, each tried again after a doubling wait."""

    def __init__(self, first_s: float) -> None:
        self.sentences: dict[str, str] = {}
        """topic → why it is refused"""
        self._first_s = first_s
        self._waits: dict[str, tuple[float, float]] = {}
        """topic → s, monotonic, of the next attempt; s of the wait before it"""

    @property
    def sentence(self) -> str:
        """Why, of the first few."""
        return " ".join([*self.sentences.values()][:SHOWN])

    def hold(self, topic: str, sentence: str, now: float) -> None:
        """Hold a topic back, longer each time."""
        _, before = self._waits.get(topic, (0.0, self._first_s / 2))
        wait = min(2 * before, max(HOLD_LAST_S, self._first_s))
        self._waits[topic] = (now + wait, wait)
        self.sentences[topic] = sentence

    def due(self, topic: str) -> float:
        """When a topic may be tried again, s, monotonic."""
        return self._waits[topic][0] if topic in self._waits else 0.0

    def is_held(self, topic: str, now: float) -> bool:
        """Whether a topic must wait."""
        return topic in self._waits and now < self._waits[topic][0]

    def release(self, topic: str) -> None:
        """Forget a refusal: the broker has taken the topic."""
        self._waits.pop(topic, None)
        self.sentences.pop(topic, None)
