"""Whether a repair held, by the nights after it. Pure."""

import numpy as np

from leakear.edge.background.night_rule import FEWEST, NODE, Numbers
from leakear.edge.background.own_limit import change_db

HELD, NOISE_STAYS, WAITING, UNKNOWN = "held", "noise stays", "waiting", "unknown"


def check_repair(before: Numbers, during: Numbers, after: Numbers) -> str:
    """Compare the nights after a repair with those before the leak.

    Night levels, shape (n,) each, without gaps: `before` the leak was suspected, `during` it, `after` the repair. The
    noise stays when two of the first three nights after stand above the limit that the night rule gives for this place,
    or above the middle between before and during, whichever is lower.
    """
    if len(before) < FEWEST + NODE.nights:
        return UNKNOWN
    if len(after) < NODE.nights:
        return WAITING
    windows = np.lib.stride_tricks.sliding_window_view(before, NODE.nights)
    limit = float(NODE.limit(NODE.reached(windows), change_db(np.diff(before))))
    if len(during) and np.median(during) > np.median(before):
        limit = min(limit, float((np.median(before) + np.median(during)) / 2))
    risen = after[: NODE.nights] > limit
    return NOISE_STAYS if NODE.lasting(risen) else HELD
