"""[outbox]: what a site may configure of the durable queue."""

from dataclasses import dataclass

from leakear.edge.options import option


@dataclass(frozen=True)
class OutboxOptions:
    """[outbox]: the durable queue of events."""

    max_bytes: int = option(
        8 * 2**20, "bytes of events kept on disk; changes of state outlive all others", minimum=2**13, maximum=2**32
    )
    memory_bytes: int = option(
        2**20, "bytes of events kept in memory while the disk refuses them", minimum=2**13, maximum=2**28
    )
    settle_s: float = option(
        10.0, "s an acknowledged event is kept, to be sent again if the broker goes away", minimum=0, maximum=3600
    )
    keep_events: int = option(
        1000, "acknowledged events kept on disk, so that a receiver that misses one can ask for it (cmd/resend)",
        minimum=0, maximum=100000,
    )  # fmt: skip
    retry_s: float = option(10.0, "s between attempts to use a disk that failed", minimum=0.05, maximum=3600)
    save_s: float = option(
        600.0, "s between writes of counters (changes of state are written at once)", minimum=0, maximum=86400
    )
