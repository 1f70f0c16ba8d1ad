"""English and Brazilian Portuguese: JSON files, read by the page (`static/js/i18n.js`) and by the notifications.

Texts of the page have keys. Sentences of a node or the server are sent and stored in English;
`sentences.LANGUAGE.json` has their translations, in which `{name}` stands for a value.
"""

import json
import re
from importlib.resources import files

LANGUAGES = ("en", "pt-BR")


def texts(language: str) -> dict[str, str]:
    """Read all texts of a language by key; `{name}` stands for a value."""
    return _read(f"{language}.json")


def sentences(language: str) -> dict[str, str]:
    """Read the translations of English sentences."""
    return {} if language == "en" else _read(f"sentences.{language}.json")


def sentence(text: str, language: str) -> str:
    """Translate a sentence of a node or the server, or all of its clauses; an unknown one stays in English."""
    clauses = [_translation(clause, language) for clause in text.split("; ")]
    known = [clause for clause in clauses if clause is not None]
    if len(known) == len(clauses):
        return "; ".join(known)
    return _translation(text, language) or text


def _translation(text: str, language: str) -> str | None:
    known = texts(language)
    if f"fault.{text}" in known:
        return known[f"fault.{text}"]
    for template, translation in sentences(language).items():
        found = re.fullmatch(_pattern(template), text, re.DOTALL)
        if found:
            return _filled(translation, found.groups(), known)
    return None


def _pattern(template: str) -> str:
    return "(.+?)".join(re.escape(part) for part in re.split(r"\{\w+\}", template))


def _filled(translation: str, values: tuple[str, ...], known: dict[str, str]) -> str:
    """Put the values of the English sentence into its translation, in the same order."""
    rest = iter(values)
    return re.sub(r"\{(\w+)\}", lambda match: _word(match[1], next(rest), known), translation)


def _word(name: str, value: str, known: dict[str, str]) -> str:
    """Translate one value of a sentence: names of faults and states."""
    if name == "faults":
        return ", ".join(known.get(f"fault.{fault}", fault) for fault in value.split(", "))
    return known.get(f"state.{value}", value) if name == "state" else value


def _read(name: str) -> dict[str, str]:
    found = files("leakear.dashboard").joinpath("static", "texts", name).read_text("utf-8")
    catalogue = json.loads(found)
    assert isinstance(catalogue, dict)
    return catalogue
