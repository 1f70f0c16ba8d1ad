"""English and Brazilian Portuguese: JSON files, read by the page (`static/js/i18n.js`) and by the notifications.

Texts of the page have keys. Sentences of a node or the server are sent and stored in English;
`sentences.LANGUAGE.json` has their translations, in which `{name}` stands for a value.
"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

LANGUAGES = ("en", "pt-BR")
CLAUSES = 20
"""of a sentence that are translated one by one"""


def texts(language: str) -> dict[str, str]:
    """Read all texts of a language by key; `{name}` stands for a value."""
    return _read(f"{language}.json")


def sentences(language: str) -> dict[str, str]:
    """Read the translations of English sentences; in English only of those that name faults and states."""
    return _read(f"sentences.{language}.json")


def sentence(text: str, language: str) -> str:
    """Translate a sentence of a node or the server, or all of its clauses; an unknown one stays in English."""
    clauses = text.split("; ")
    if len(clauses) <= CLAUSES:
        known = [found for clause in clauses if (found := _translation(clause, language)) is not None]
        if len(known) == len(clauses):
            return "; ".join(known)
    return _translation(text, language) or text


def _translation(text: str, language: str) -> str | None:
    known = texts(language)
    if f"fault.{text}" in known:
        return known[f"fault.{text}"]
    for template, translation in sentences(language).items():
        values = _values(_parts(template), text)
        if values is not None:
            return _filled(translation, values, known, language)
    return None


@lru_cache(maxsize=1024)
def _parts(template: str) -> list[str]:
    """Return what stands around the values of a sentence."""
    return re.split(r"\{\w+\}", template)


def _values(parts: Sequence[str], text: str) -> tuple[str, ...] | None:
    """Return the values between the parts, each the shortest possible, none empty; None: it is another sentence.

    A regular expression would take the power of the number of values of a hostile text's length.
    """
    if len(parts) == 1:
        return () if text == parts[0] else None
    first, *between, last = parts
    end = len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last):
        return None
    values, at = [], len(first)
    for part in between:
        found = text.find(part, at + 1, end)
        if found < 0:
            return None
        values.append(text[at:found])
        at = found + len(part)
    return (*values, text[at:end]) if at < end else None


def _filled(translation: str, values: tuple[str, ...], known: dict[str, str], language: str) -> str:
    """Put the values of the English sentence into its translation, in the same order."""
    rest = iter(values)
    return re.sub(r"\{(\w+)\}", lambda match: _word(match[1], next(rest), known, language), translation)


def _word(name: str, value: str, known: dict[str, str], language: str) -> str:
    """Translate one value of a sentence: names of faults and states, and the decimal point of a figure."""
    if language != "en" and re.fullmatch(r"-?\d+\.\d+", value):
        return value.replace(".", ",")
    if name == "faults":
        return ", ".join(known.get(f"fault.{fault}", fault) for fault in value.split(", "))
    return known.get(f"state.{value}", value) if name == "state" else value


@lru_cache(maxsize=1024)
def _read(name: str) -> dict[str, str]:
    found = files("leakear.dashboard").joinpath("static", "texts", name).read_text("utf-8")
    catalogue = json.loads(found)
    assert isinstance(catalogue, dict)
    return catalogue
