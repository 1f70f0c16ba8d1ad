"""[recording]: what may be recorded to locate a leak."""

from dataclasses import dataclass

from leakear.edge.messages.recordings import LONGEST_S, SHORTEST_S
from leakear.edge.options import option


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """[recording]: recordings at an exact time, to locate a leak between two nodes; they need [evidence] enabled."""

    clock_s: float = option(
        0.05, "s; with a clock that may be further from UTC than this, nothing is recorded", minimum=1e-6, maximum=10
    )
    per_hour: int = option(20, "recordings on command within an hour", minimum=0, maximum=1000)
    nightly: bool = option(
        False, "also record agreed slots of each night: set these four alike at all nodes that are to be compared"
    )
    slots: int = option(8, "slots of a night, spread evenly over [decision] night", minimum=1, maximum=48)
    slot_s: float = option(30.0, "length of a slot, s", minimum=SHORTEST_S, maximum=LONGEST_S)
    slot_rate: int = option(
        11025, "samples a second of a slot's file, Hz; 0: the rate the model hears at", minimum=0, maximum=384000
    )
