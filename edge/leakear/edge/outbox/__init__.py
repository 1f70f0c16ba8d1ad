"""Queue: events are kept durably from the moment they are decided until a broker has acknowledged them."""

from leakear.edge.outbox.options import OutboxOptions
from leakear.edge.outbox.queue import Outbox

__all__ = ["Outbox", "OutboxOptions"]
