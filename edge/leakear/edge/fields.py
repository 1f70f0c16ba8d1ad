"""Declared fields: what one key of a message or of the configuration may hold, and the one check of it.

`declare` attaches a `Rule` to a field of a frozen dataclass. `check_fields` compares foreign values with all rules of a
class and raises `FieldError`, which says which rule is broken and where. `messages` and `settings_file` make sentences
of it; the documentation of both is written from the same declarations.
"""

import math
import re
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

MAX_INTEGER = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact."""
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters no message needs and that break logs, databases or encoders further on."""
UNUSABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL and half of a surrogate pair: no encoder and no database takes them, not even in a free text."""
KEY = "rule"
"""Name under which a dataclass field holds its rule."""

Problem = Literal[
    "type", "length", "characters", "choice", "form", "range", "size", "items", "schema", "unknown", "missing"
]
"""Which rule a value breaks."""


@dataclass(frozen=True)
class Rule:
    """What one key may hold beyond its type."""

    doc: str
    """Meaning and unit, one sentence."""
    name: str | None = None
    """The key where Python's own name must differ (`from`)."""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None
    pattern: str | None = None
    """Regular expression that the whole text matches."""
    verify: Callable[[str], object] | None = None
    """Called with the text; raises ValueError where the pattern alone cannot tell."""
    max_length: int = 200
    """Characters of a text."""
    printable: bool = True
    """Whether control characters are refused."""
    items: tuple[int, int] = (0, 64)
    """Fewest and most items of a list."""
    secret: bool = False
    """Never shown."""


@dataclass(frozen=True)
class Declared:
    """One declared field of a class."""

    attribute: str
    key: str
    """Its name in a message or file."""
    kind: Any
    """Its type hint."""
    rule: Rule
    default: Any
    """Value when the key is absent; MISSING: the key is required."""

    @property
    def required(self) -> bool:
        """Whether the key may not be absent."""
        return self.default is MISSING


class FieldError(ValueError):
    """A value that breaks a rule."""

    def __init__(
        self, problem: Problem, value: Any, *, kind: Any = None, rule: Rule | None = None, known: Collection[str] = ()
    ) -> None:
        super().__init__(problem)
        self.problem, self.value, self.kind, self.known = problem, value, kind, known
        self.rule = rule or Rule("")
        self.path = ""
        """Where within the checked value: `.key`, `[3]`, or several of them; empty: the value itself."""

    def within(self, part: str) -> "FieldError":
        """Put a part before the path; return the error."""
        self.path = part + self.path
        return self


def declare(doc: str, *, default: Any = MISSING, **rule: Any) -> Any:
    """Declare a field: its meaning with its unit, then the limits of `Rule`. A list default is copied per instance."""
    metadata = {KEY: Rule(doc, **rule)}
    if isinstance(default, list | dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def declared(cls: type) -> tuple[Declared, ...]:
    """List the declared fields of a dataclass, in order."""
    return _declared(cls)


@cache
def _declared(cls: type) -> tuple[Declared, ...]:
    hints = get_type_hints(cls)
    return tuple(
        Declared(
            attribute=each.name,
            key=each.metadata[KEY].name or each.name,
            kind=hints[each.name],
            rule=each.metadata[KEY],
            default=each.default if each.default_factory is MISSING else each.default_factory(),
        )
        for each in fields(cls)
        if KEY in each.metadata
    )


def check_fields(cls: type, given: Mapping[str, Any], *, closed: bool) -> dict[str, Any]:
    """Return attribute → checked value of the keys that are given. Raises FieldError.

    `closed`: keys that the class does not declare are refused.
    """
    table = declared(cls)
    known = [each.key for each in table]
    if closed and (unknown := set(given) - set(known)):
        raise FieldError("unknown", min(unknown), known=known)
    values = {}
    for each in table:
        if each.key in given:
            values[each.attribute] = _in_field(each, given[each.key])
        elif each.required:
            raise FieldError("missing", None, rule=each.rule).within(f".{each.key}")
    return values


def check(kind: Any, value: Any, rule: Rule) -> Any:
    """Return the value as the type `kind`. Raises FieldError.

    A dataclass is built by its class method `read(mapping)`, which may raise FieldError too.
    """
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = next(a for a in get_args(kind) if a is not type(None))
        return None if value is None else check(inner, value, rule)
    if origin is tuple:
        return _check_list(kind, value, rule)
    if kind is dict or origin is dict or is_dataclass(kind):
        _expect(isinstance(value, Mapping), "type", kind, value, rule)
        if not is_dataclass(kind):
            _check_object(value, rule)
        return kind.read(value) if is_dataclass(kind) else value  # type: ignore[union-attr]
    if kind is bool:
        _expect(isinstance(value, bool), "type", kind, value, rule)
        return value
    return _check_text(value, rule) if kind is str else _check_number(kind, value, rule)


def _check_object(value: Any, rule: Rule) -> None:
    """Refuse what no encoder and no database takes, anywhere in an object whose keys are not declared."""
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, Mapping):
            rest += [*item, *item.values()]
        elif isinstance(item, list):
            rest += item
        elif isinstance(item, str):
            _expect(UNUSABLE.search(item) is None, "characters", str, item, rule)
        elif isinstance(item, float):
            _expect(math.isfinite(item), "size", float, item, rule)


def _in_field(each: Declared, value: Any) -> Any:
    try:
        return check(each.kind, value, each.rule)
    except FieldError as error:
        raise error.within(f".{each.key}") from None


def _check_list(kind: Any, value: Any, rule: Rule) -> tuple[Any, ...]:
    _expect(isinstance(value, list | tuple), "type", kind, value, rule)
    fewest, most = rule.items
    _expect(fewest <= len(value) <= most, "items", kind, value, rule)
    checked = []
    for place, item in enumerate(value):
        try:
            checked.append(check(get_args(kind)[0], item, rule))
        except FieldError as error:
            raise error.within(f"[{place}]") from None
    return tuple(checked)


def _check_text(value: Any, rule: Rule) -> str:
    _expect(isinstance(value, str), "type", str, value, rule)
    _expect(len(value) <= rule.max_length, "length", str, value, rule)
    _expect(not (rule.printable and UNPRINTABLE.search(value)), "characters", str, value, rule)
    _expect(rule.choices is None or value in rule.choices, "choice", str, value, rule)
    _expect(rule.pattern is None or re.fullmatch(rule.pattern, value) is not None, "form", str, value, rule)
    if rule.verify is not None:
        rule.verify(value)
    return str(value)


def _check_number(kind: Any, value: Any, rule: Rule) -> int | float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    _expect(number and (kind is float or not isinstance(value, float) or value.is_integer()), "type", kind, value, rule)
    whole = isinstance(value, int) or kind is int
    _expect(abs(value) <= MAX_INTEGER if whole else math.isfinite(value), "size", kind, value, rule)
    above = rule.minimum is None or value >= rule.minimum
    _expect(above and (rule.maximum is None or value <= rule.maximum), "range", kind, value, rule)
    return int(value) if kind is int else float(value)


def _expect(holds: bool, problem: Problem, kind: Any, value: Any, rule: Rule) -> None:
    if not holds:
        raise FieldError(problem, value, kind=kind, rule=rule)
