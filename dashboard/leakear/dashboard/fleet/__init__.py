"""The nodes as they are now, and which of them are silent."""

from leakear.dashboard.fleet.fleet import LATE_S, LONGEST_SLEEP_S, SPARK, Fleet
from leakear.dashboard.fleet.node import ASLEEP, OFFLINE, ONLINE, QUEUE, STALE, UNKNOWN, WAITING, Key, Node
from leakear.dashboard.fleet.rounds import Round

__all__ = [
    "ASLEEP",
    "LATE_S",
    "LONGEST_SLEEP_S",
    "OFFLINE",
    "ONLINE",
    "QUEUE",
    "SPARK",
    "STALE",
    "UNKNOWN",
    "WAITING",
    "Fleet",
    "Key",
    "Node",
    "Round",
]
