"""What the state machine takes and gives: states, observations of one window each, and transitions. Pure."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from leakear.edge.background.background import Excess
from leakear.edge.background.third_octaves import Bands


class State(StrEnum):
    """The published state of a node: of its pipe, or of its sensor."""

    OK = "OK"
    WARNING = "WARNING"
    LEAK = "LEAK"
    NOISY = "NOISY"
    SENSOR_FAULT = "SENSOR_FAULT"


LOUD_DB = 6.0
"""Excess from which the new sound alone decides the score."""
UNLIKE = 0.15
"""P(leak) below which such a sound is unlike a leak."""


CLIPPING = "clipping"
"""Fault: the sound hits the converter's limits."""


class Need(IntEnum):
    """What the score of a window must be, by how far its sound stands above the background of the node."""

    LEAK = 0
    """a leak's: at least the threshold"""
    LIKE = 1
    """not unlike a leak's: at least UNLIKE"""
    ANY = 2
    """any"""


ALERTS = (State.WARNING, State.LEAK)
"""States of the pipe that are alerts."""


def worse(first: State, second: State) -> State:
    """Return the worse of two states of the pipe: OK, WARNING or LEAK."""
    order = (State.OK, State.WARNING, State.LEAK)
    return max(first, second, key=order.index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One window as the rule sees it, or one second of a sensor fault."""

    time_s: float
    """s, monotonic, end of the window"""
    utc: float
    """s since 1970, end of the window"""
    step_s: float
    """s that this window stands for"""
    score: float | None
    """P(leak); None: the window has no score (dropped, gap, fault)"""
    dbmin: float | None = None
    """dBmin of the window, dBFS"""
    fault: str | None = None
    """names of the faults; a window with a fault is not counted, except where `low_confidence` is set"""
    excess: Excess | None = None
    """the last span compared with the background; None: not known"""
    over_accepted: Excess | None = None
    """after "not a leak" in the first days: the last span compared with what was known then, and since; None: else"""
    quiet: Bands | None = None
    """third octaves of the quiet moments of the last span, shape (25,), dB; None: too little was heard"""
    entry: int = 0
    """number of the half hour it belongs to, counted since the node was installed"""
    clips: bool = False
    """whether it hits the converter's limits: its levels hold distortion"""
    apart_db: float | None = None
    """dB by which the last half hour differs, up or down, from the most similar one of the past; None: not known"""
    low_confidence: bool = False
    """low-confidence quiet: a high score counts although there is a fault, a low one does not"""

    @property
    def usable(self) -> bool:
        """Whether its score may count."""
        return self.score is not None and (self.fault is None or self.low_confidence)

    @property
    def asleep(self) -> bool:
        """Whether it is no window: the node sleeps, and `utc` is when it wakes."""
        return self.step_s == 0 and self.score is None and self.fault is None

    @property
    def only_clips(self) -> bool:
        """Whether it clips and nothing else is wrong: its level may be higher than measured, not lower."""
        return self.clips and self.fault in {None, CLIPPING}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedOn:
    """What a WARNING or LEAK was decided on."""

    by: str
    """`hours`: a sound of the last hour above the background; `nights`: what stood through the nights; `score`: the
    score alone, because the background is not known or not used"""
    on_share: float
    """share of the windows of the last span whose score is at least the threshold, 0 to 1"""
    excess_db: float | None
    """dB over the background of this node; None: not known"""
    hz: float | None
    """frequency of the excess"""
    limit_db: float | None
    """the limit that this node has learnt, dB"""
    nights_known: int
    """nights that the node has heard"""
    nights_risen: int
    """of the last three, how many stood above the limit"""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of the published state."""

    source: State
    target: State
    reason: str
    """for people: one short clause with the numbers that decided"""
    on_fraction: float
    again: bool = False
    """True: a fault has ended and the state before it is published again; this is no new alert"""
    decided_on: DecidedOn | None = None
    """of a WARNING or LEAK"""
