"""What a script can see on a page that a reader would stumble over: text that is cut, spills or overlaps, English on a
Portuguese page, names of keys, faint text, something to be scrolled sideways."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from leakear.dashboard import i18n
from tests.support.harness import Browser

LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")
ENGLISH = re.compile(
    r"\b(the|of|and|is|are|was|were|with|this|that|from|not|it|its|by|has|have|been|which|since|until|heard|what|on|to"
    r"|in|at|an|leak|night)\b", re.IGNORECASE,
)  # fmt: skip
"""words that no Portuguese sentence has"""
RAW = re.compile(r"(?<![\w.])[a-z]+_[a-z_]+\b|\{\w+\}|\bundefined\b|\bNaN\b|\bnull\b|\[object ")
"""names of keys (but for those of a configuration, as commands.allow_clip), places of values, values that are none"""


def flaws(page: Browser, language: str, width: int) -> list[str]:
    """Return one line for each flaw of what is shown in so many CSS pixels."""
    seen: dict[str, Any] = page.js(LOOK, width)
    found = [f"{kind}: {what}" for kind, what in seen["flaws"]]
    return found + list(words(seen["texts"], language))


def words(texts: list[list[str]], language: str) -> Iterator[str]:
    """Yield the flaws of texts, each given as where it stands and what it says."""
    for where, text in texts:
        if RAW.search(text):
            yield f"raw: {text[:120]} in {where}"
        if language != "en" and (english(text) or ENGLISH.search(text)):
            yield f"English: {text[:120]} in {where}"


def english(text: str) -> bool:
    """Whether a text is one of the English catalogue, or one of its sentences, and no Portuguese one."""
    plain = text.strip(" \n:.·")
    return bool(plain) and plain in _english() and plain not in _portuguese()


@lru_cache
def _english() -> frozenset[str]:
    other: Mapping[str, str] = i18n.texts("pt-BR")
    told = {text for key, text in i18n.texts("en").items() if other[key] != text}
    return frozenset(text.strip(" :.·") for text in (*told, *i18n.sentences("pt-BR")))


@lru_cache
def _portuguese() -> frozenset[str]:
    return frozenset(text.strip(" :.·") for text in (*i18n.texts("pt-BR").values(), *i18n.sentences("pt-BR").values()))
