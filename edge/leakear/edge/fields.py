"""Declared fields: what a key of a message or of the configuration may hold, and the one validator for both.

A dataclass field carries a `Rule`: its meaning with its unit, and its limits. `options.option` declares a key of the
configuration, `messages.codec.wire` a key of a message; documentation, example file and JSON schemas are written from
the same rules.
"""

import math
import re
import types
from collections.abc import Callable
from dataclasses import Field, dataclass, is_dataclass
from datetime import datetime
from typing import Any, NoReturn, Union, get_args, get_origin

MAX_INTEGER = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact."""
UTC_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"
"""Pattern of a time: ISO 8601, UTC, milliseconds."""
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line separators and lone surrogates: they break logs, databases and encoders."""
KEY = "rule"
"""Key of the rule in a dataclass field's metadata."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one key may hold beyond its type."""

    doc: str
    """unit and meaning, one sentence"""
    name: str | None = None
    """the key on the wire where Python's own name must differ (`from`)"""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None
    pattern: str | None = None
    """regular expression of a whole text"""
    max_length: int = 200
    """characters of a text"""
    items: tuple[int, int] = (0, 64)
    """fewest and most items of a list"""
    secret: bool = False
    """masked when the configuration is shown"""


class Invalid(ValueError):  # noqa: N818 - half of a sentence; who catches it names file or message
    """A value that a rule does not allow. `where`: path of the part within the value; `why`: rest of the sentence."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where} {why}")
        self.where, self.why = where, why


Build = Callable[[type, dict[str, Any], str], Any]
"""(class, mapping, path) → an instance; for fields that are dataclasses themselves."""


def rule_of(declared: "Field[Any]") -> Rule | None:
    """Return the rule of a dataclass field; None: it has none."""
    rule = declared.metadata.get(KEY)
    return rule if isinstance(rule, Rule) else None


def check(kind: Any, value: Any, rule: Rule, where: str = "", build: Build | None = None) -> Any:
    """Return `value` as `kind` (a type, an optional type or a tuple of one). Raises Invalid."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = next(a for a in get_args(kind) if a is not type(None))
        return None if value is None else check(inner, value, rule, where, build)
    if origin is tuple:
        return _list(get_args(kind)[0], value, rule, where, build)
    if kind is dict or origin is dict:
        return value if isinstance(value, dict) else _refuse(where, f"must be an object, not {type_name(value)}")
    if build is not None and is_dataclass(kind) and isinstance(kind, type):
        return build(kind, value, where) if isinstance(value, dict) else _refuse(where, "must be an object")
    if kind is bool:
        return value if isinstance(value, bool) else _refuse(where, f"must be true or false, not {shown(value)}")
    return _text(value, rule, where) if kind is str else _number(kind, value, rule, where)


def check_time(text: str) -> float:
    """Return the POSIX seconds of a UTC time such as 2026-11-22T14:43:23.120Z. Raises Invalid."""
    if re.fullmatch(UTC_TIME, text) is None:
        raise Invalid(shown(text), "is not a UTC time such as 2026-11-22T14:43:23.120Z")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise Invalid(text, f"is not a time of the calendar ({error})") from error


def type_name(value: Any) -> str:
    """Name the type of a foreign value as people do."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def shown(value: Any) -> str:
    """Return a foreign value fit for one line of a log: short, and nothing but printable ASCII."""
    if isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        return "a very large number"
    text = ascii(value) if isinstance(value, str | int | float | type(None)) else type_name(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _list(kind: Any, value: Any, rule: Rule, where: str, build: Build | None) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        _refuse(where, f"must be a list, not {type_name(value)}")
    fewest, most = rule.items
    if not fewest <= len(value) <= most:
        _refuse(where, f"has {len(value)} items; {fewest} to {most} are allowed")
    return tuple(check(kind, item, rule, f"{where}[{i}]", build) for i, item in enumerate(value))


def _text(value: Any, rule: Rule, where: str) -> str:
    if not isinstance(value, str):
        _refuse(where, f"must be a text, not {type_name(value)}")
    if len(value) > rule.max_length:
        _refuse(where, f"is {len(value)} characters long; at most {rule.max_length} are allowed")
    if UNPRINTABLE.search(value):
        _refuse(where, "holds control characters")
    if rule.choices is not None and value not in rule.choices:
        _refuse(where, f"is {shown(value)}; allowed are {', '.join(rule.choices)}")
    if rule.pattern is not None and re.fullmatch(rule.pattern, value) is None:
        _refuse(where, f"is {shown(value)}, which is not of the form {rule.pattern}")
    if rule.pattern == UTC_TIME:
        check_time(value)
    return value


def _number(kind: Any, value: Any, rule: Rule, where: str) -> int | float:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not isinstance(value, int | float) or (kind is int and not whole):
        _refuse(where, f"must be a {'whole number' if kind is int else 'number'}, not {shown(value)}")
    if abs(value) > MAX_INTEGER if isinstance(value, int) or kind is int else not math.isfinite(value):
        _refuse(where, "is beyond the numbers a message may hold")
    if (rule.minimum is not None and value < rule.minimum) or (rule.maximum is not None and value > rule.maximum):
        low, high = rule.minimum, rule.maximum
        _refuse(where, f"is {shown(value)}; allowed is {low} to {'any' if high is None else high}")
    return int(value) if kind is int else float(value)


def _refuse(where: str, why: str) -> NoReturn:
    raise Invalid(where, why)
