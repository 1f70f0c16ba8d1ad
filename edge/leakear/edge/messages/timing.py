"""How well a node knows the time: of its clock against UTC, and of its samples against its clock."""

from leakear.edge.fields import declare
from leakear.edge.messages.codec import Message, message

CLOCK_SOURCES = ("none", "kernel", "chrony", "pps")


@message
class ClockBound(Message):
    """The node's clock against UTC."""

    SCHEMA = None
    source: str = declare(
        "what says so: none (not synchronised); kernel (adjtimex: whatever keeps the clock, a loose bound); chrony; "
        "pps (chrony with pulses of a GPS receiver)",
        choices=CLOCK_SOURCES,
    )
    bound_s: float | None = declare(
        "s; the clock differs from UTC by at most this (95 %); null: not known", minimum=0, default=None
    )


@message
class SampleClock(Message):
    """The samples of the sound device against the node's clock."""

    SCHEMA = None
    drift_ppm: float = declare(
        "how much faster the device's samples come than its rate says, ppm; negative: slower", minimum=-1e6, maximum=1e6
    )
    drift_uncertainty_ppm: float = declare("95 % bound of the error of `drift_ppm`, ppm", minimum=0)
    uncertainty_s: float = declare(
        "s; the time of a sample differs from the node's clock by at most this (95 %)", minimum=0
    )
