"""What is answered: the figures as they were taken last. The main thread takes them, the server's thread reads them."""

from collections.abc import Callable

EVERY_S = 10.0
"""s between two snapshots"""


class Snapshot:
    """The newest text of /metrics. One reference is replaced at once: no lock, and nobody waits for anybody."""

    def __init__(self, take: Callable[[], bytes]) -> None:
        self._take = take
        self._due = -float("inf")
        self.text = b""

    def tick(self, now: float) -> None:
        """Take the figures when they are due. `now`: monotonic s."""
        if now >= self._due:
            self._due = now + EVERY_S
            self.text = self._take()
