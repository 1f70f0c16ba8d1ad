"""How a module declares what a site may configure.

Each module that has options owns one frozen dataclass whose fields are made by `option`: default, unit and effect in
one sentence, and the limits. `settings` composes these classes into the TOML file, checks it and writes the annotated
example from the very same fields, so the documentation cannot drift from the code.
"""

import os
from collections.abc import Collection
from dataclasses import MISSING, dataclass, field
from dataclasses import Field as DataclassField
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of an option beside its name, type and default."""

    doc: str
    """unit and effect, one sentence"""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None
    secret: bool = False
    """masked by `config show`"""


def option(
    default: Any,
    doc: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Collection[str] | None = None,
    secret: bool = False,
) -> Any:
    """Declare a field that a site may configure. A list default is copied for each instance."""
    described = Described(doc, minimum, maximum, tuple(choices) if choices else None, secret)
    metadata = {"option": described}
    if isinstance(default, list | dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def describe(declared: "DataclassField[Any]") -> Described:
    """Return what `option` recorded about a dataclass field."""
    described = declared.metadata["option"]
    assert isinstance(described, Described)
    return described


def default_of(declared: "DataclassField[Any]") -> Any:
    """Return the value a field has when the file does not name it."""
    return declared.default if declared.default_factory is MISSING else declared.default_factory()


def path(text: str) -> Path:
    """Return what a configured path means: `~` is the user's home, where that can be told."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 (Path.expanduser raises for a user who is not there)
