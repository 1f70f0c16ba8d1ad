"""How a module declares what a site may configure.

Each module that has options owns one frozen dataclass whose fields are made by `option`: default, unit and effect in
one sentence, and the limits. `settings` composes these classes, `settings_file` reads them from a TOML file and writes
the annotated example from the same fields, so the documentation cannot drift from the code.
"""

import os
from dataclasses import MISSING
from dataclasses import Field as DataclassField
from pathlib import Path
from typing import Any

from leakear.edge.fields import KEY, Rule, declare

MAX_TEXT = 65535
"""Characters: what MQTT carries as one text, a password among them."""


def option(default: Any, doc: str, **rule: Any) -> Any:
    """Declare a field that a site may configure: default, meaning with its unit, then the limits of `fields.Rule`."""
    return declare(doc, default=default, **{"max_length": MAX_TEXT, "printable": not rule.get("secret")} | rule)


def describe(declared: "DataclassField[Any]") -> Rule:
    """Return the rule of a field that `option` declared."""
    rule = declared.metadata[KEY]
    assert isinstance(rule, Rule)
    return rule


def default_of(declared: "DataclassField[Any]") -> Any:
    """Return the value a field has when the file does not name it."""
    return declared.default if declared.default_factory is MISSING else declared.default_factory()


def path(text: str) -> Path:
    """Return what a configured path means: `~` is the user's home, where that can be told."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 (Path.expanduser raises for a user who is not there)
