"""What a node is called at first sight, and in which tile it is counted; `static/js/states.js` says the same."""

from leakear.dashboard.fleet import ASLEEP, ONLINE, WAITING, Node

GROUPS = ("LEAK", "SENSOR_FAULT", "gone", "WARNING", "NOISY", "asleep", "OK")
"""tiles, the most urgent first; each node is in exactly one"""
GONE = GROUPS.index("gone")
JUDGED = "judged"
SHOWN = ("LEAK", "SENSOR_FAULT", "WARNING", "NOISY", "OK", "UNKNOWN", "stale", "offline", "asleep", JUDGED)
"""every word that a node may be called"""
_RANKS = {name: rank for rank, name in enumerate(GROUPS)} | {JUDGED: GROUPS.index("OK")}


def shown(node: Node) -> str:
    """Return the word for a node. A leak stays a leak when its node falls silent."""
    if node.is_judged:
        return JUDGED
    if node.state == "LEAK" or node.presence in (ONLINE, WAITING):
        return node.state
    if node.presence == ASLEEP and node.state in ("WARNING", "SENSOR_FAULT"):
        return node.state
    return node.presence


def rank(name: str) -> int:
    """Return the number of the tile of a word; 0 is the most urgent."""
    return _RANKS.get(name, GONE)
