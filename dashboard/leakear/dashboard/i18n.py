"""English and Brazilian Portuguese: one JSON file a language, read by the page and by the notifications."""

import json
from importlib.resources import files

LANGUAGES = ("en", "pt-BR")


def texts(language: str) -> dict[str, str]:
    """Read all texts of a language by key; `{name}` stands for a value."""
    found = files("leakear.dashboard").joinpath("static", "texts", f"{language}.json").read_text("utf-8")
    catalogue = json.loads(found)
    assert isinstance(catalogue, dict)
    return catalogue
