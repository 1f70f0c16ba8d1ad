"""What a page asks for: a search, an order, and the part of the list that it shows."""

from dataclasses import dataclass
from typing import Any

from leakear.dashboard.views.groups import GROUPS, SHOWN

SORTS = ("urgency", "name", "score", "level", "seen")
MOST_ROWS = 300
"""rows of one view"""
MOST_WORDS, LONGEST = 8, 100
"""words of a search, and characters of each"""


@dataclass(frozen=True)
class Word:
    """One word of a search."""

    text: str
    """lower case; part of site, node, fault or model"""
    names: tuple[str, ...] = ()
    """words for a node (`groups.SHOWN`) that hold it in the reader's language"""


@dataclass(frozen=True)
class What:
    """Which nodes, in which order."""

    words: tuple[Word, ...] = ()
    group: str | None = None
    """one of GROUPS; None: all"""
    sort: str = "urgency"
    grouped: bool = False
    """by site"""


@dataclass(frozen=True)
class View:
    """A part of a list."""

    what: What
    offset: int
    limit: int
    turn: int = 0
    """number that the page gave it, so that it knows the answer"""

    @classmethod
    def of(cls, given: Any) -> "View | None":
        """Return the view that a page asks for; None for none and for what no page of ours asks."""
        if not isinstance(given, dict):
            return None
        numbers = [given.get(name, 0) for name in ("offset", "limit", "turn")]
        if not all(isinstance(number, int) and 0 <= number < 1 << 31 for number in numbers):
            return None
        words = given.get("words", [])
        group, sort = given.get("group"), given.get("sort", "urgency")
        if not isinstance(words, list) or len(words) > MOST_WORDS or group not in (None, *GROUPS) or sort not in SORTS:
            return None
        read = tuple(_word(word) for word in words)
        if None in read:
            return None
        what = What(tuple(word for word in read if word), group, sort, given.get("grouped") is True)
        return cls(what, numbers[0], min(numbers[1], MOST_ROWS), numbers[2])


def _word(given: Any) -> Word | None:
    """Return a word from `[text, [name, …]]`."""
    if (
        not isinstance(given, list)
        or len(given) != 2
        or not isinstance(given[0], str)
        or not isinstance(given[1], list)
    ):
        return None
    if len(given[0]) > LONGEST or not all(name in SHOWN for name in given[1]):
        return None
    return Word(given[0].lower(), tuple(given[1]))
