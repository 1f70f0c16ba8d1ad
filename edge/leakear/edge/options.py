"""How a module declares what a site may configure.

Each module that has options owns one frozen dataclass whose fields are made by `option`: default, unit and effect in
one sentence, and the limits. `settings` composes these classes into the TOML file, checks it and writes the annotated
example from the very same fields, so the documentation cannot drift from the code.
"""

import os
from collections.abc import Collection
from dataclasses import MISSING, Field, field
from pathlib import Path
from typing import Any

from leakear.edge.fields import KEY, Rule, rule_of

LONGEST_TEXT = 4096
"""Characters of a configured text: a path may be long."""


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
    allowed = tuple(choices) if choices else None
    rule = Rule(doc, minimum=minimum, maximum=maximum, choices=allowed, secret=secret, max_length=LONGEST_TEXT)
    if isinstance(default, list | dict):
        return field(default_factory=default.copy, metadata={KEY: rule})
    return field(default=default, metadata={KEY: rule})


def describe(declared: "Field[Any]") -> Rule:
    """Return what `option` recorded about a dataclass field."""
    rule = rule_of(declared)
    assert rule is not None
    return rule


def default_of(declared: "Field[Any]") -> Any:
    """Return the value a field has when the file does not name it."""
    return declared.default if declared.default_factory is MISSING else declared.default_factory()


def path(text: str) -> Path:
    """Return what a configured path means: `~` is the user's home, where that can be told."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 (Path.expanduser raises for a user who is not there)
