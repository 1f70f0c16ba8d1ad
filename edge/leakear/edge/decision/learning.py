"""Learning: what a node knows of its place, and which alerts it may give with that. Pure."""

import math
from dataclasses import dataclass

from leakear.edge.background.entries import ENOUGH, EVERY_S, FIRST_DELAY
from leakear.edge.background.night_rule import FEWEST
from leakear.edge.decision.rule import DecisionRule

NIGHTS_TO_BACKGROUND = math.ceil((ENOUGH + FIRST_DELAY) * EVERY_S / 86400)
"""Nights at a place until its background is known."""
WARNING_ONLY, STRONG_LEAKS, LASTING_LEAKS, ALL = "warning", "strong leaks", "lasting leaks", "all"
"""What a node may say: no LEAK; LEAK within the hour only; LEAK of several nights only; both."""


@dataclass(frozen=True, slots=True)
class Learning:
    """What has been learnt of a place."""

    background_ready: bool
    """whether an excess over the background can be measured"""
    nights_known: int
    """nights that were judged"""
    may_say: str
    """WARNING_ONLY, STRONG_LEAKS or ALL"""
    limit_db: float | None
    """excess from which a sound counts, dB; None: the background is not known or not used"""


def learning(rule: DecisionRule, *, background_ready: bool, nights_known: int, limit_db: float) -> Learning:
    """Say what a node may do with what it knows. `limit_db`: its limit of the last hour."""
    ready = background_ready and rule.rise_db > 0
    hours = not rule.leak_needs_background or rule.rise_db == 0 or bool(rule.fast_s)
    hours = hours or (ready and nights_known >= rule.strong_nights)
    nights = ready and nights_known >= FEWEST
    may_say = {(False, False): WARNING_ONLY, (True, False): STRONG_LEAKS, (False, True): LASTING_LEAKS}
    return Learning(background_ready, nights_known, may_say.get((hours, nights), ALL), limit_db if ready else None)
