"""Learning: what a node knows of its place, and which alerts it may give with that. Pure."""

import math
from dataclasses import dataclass

from leakear.edge.background.entries import ENOUGH, EVERY_S, FIRST_DELAY
from leakear.edge.decision.nights import FEWEST
from leakear.edge.decision.rule import DecisionRule

NIGHTS_TO_BACKGROUND = math.ceil((ENOUGH + FIRST_DELAY) * EVERY_S / 86400)
"""Nights at a place until its background is known."""
WARNING_ONLY, STRONG_LEAKS, ALL = "warning", "strong leaks", "all"
"""What a node may say: no LEAK; a LEAK within the hour; also the faint ones of several nights."""


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
    needs_background = rule.leak_needs_background and rule.rise_db > 0 and not rule.fast_s
    if ready and nights_known >= FEWEST:
        may_say = ALL
    else:
        may_say = STRONG_LEAKS if ready or not needs_background else WARNING_ONLY
    return Learning(background_ready, nights_known, may_say, limit_db if ready else None)
