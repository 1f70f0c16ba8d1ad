"""The codec of every message: a frozen dataclass to JSON and back, one rule set for both directions.

What comes from a broker is hostile until proven otherwise: size, nesting, types, ranges and characters are checked
here, once, and every refusal is one sentence that names the key. `docs/schemas/` is generated from the same fields.
"""

import json
import math
import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import (
    Any,
    ClassVar,
    NoReturn,
    Self,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from leakear.edge.errors import InputDataError

MAX_PAYLOAD = 256 * 1024
"""Bytes; a larger payload is refused before it is parsed."""
MAX_INTEGER = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact."""
UTC_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"
"""Form of every time on the wire."""
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Characters no message needs and that break logs, databases or encoders further on."""

T = TypeVar("T")


class MessageError(InputDataError):
    """A payload that is not the message it should be; the sentence names the key."""


@dataclass(frozen=True)
class Rule:
    """What one key may hold beyond its type."""

    doc: str
    name: str | None = None
    """The key on the wire where Python's own name must differ (`from`)."""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None
    pattern: str | None = None
    max_length: int = 200
    """Characters of a text."""
    items: tuple[int, int] = (0, 64)
    """Fewest and most items of a list."""


@dataclass(frozen=True)
class Slot:
    """One key of a message: where it stands, what type it has, which rule holds."""

    attribute: str
    key: str
    kind: Any
    rule: Rule
    required: bool


def wire(doc: str, *, default: Any = MISSING, **rule: Any) -> Any:
    """Declare a field of a message: its meaning with its unit, then the limits of `Rule`."""
    return field(default=default, metadata={"wire": Rule(doc, **rule)})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(wire, field))
def message(cls: type[T]) -> type[T]:
    """Make a class a message: a frozen dataclass built by keywords."""
    return dataclass(frozen=True, kw_only=True)(cls)


def slots(cls: type) -> tuple[Slot, ...]:
    """Keys of a message class, in wire order."""
    return _slots(cls)


@cache
def _slots(cls: type) -> tuple[Slot, ...]:
    hints = get_type_hints(cls)
    return tuple(
        Slot(f.name, f.metadata["wire"].name or f.name, hints[f.name], f.metadata["wire"], f.default is MISSING)
        for f in fields(cls)
    )


class Message:
    """Base of all messages: `to_json` gives the payload, `from_json` reads a foreign one."""

    SCHEMA: ClassVar[int | None] = 1
    """The `schema` number on the wire; None for parts and requests, which carry none."""
    CLOSED: ClassVar[bool] = False
    """Whether unknown keys are refused. Requests refuse them; reports may gain keys within a schema number."""

    def to_dict(self) -> dict[str, Any]:
        """Keys and JSON values in wire order; a number that is not finite becomes null, which JSON can say."""
        head = {} if self.SCHEMA is None else {"schema": self.SCHEMA}
        return head | {s.key: _plain(getattr(self, s.attribute)) for s in slots(type(self))}

    def to_json(self) -> bytes:
        """UTF-8 payload."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes | str | Mapping[str, Any]) -> Self:
        """Read a payload (or an object already parsed); MessageError says which key is wrong and why."""
        data = payload if isinstance(payload, Mapping) else parse_object(payload, cls.__name__)
        return _build(cls, data, cls.__name__)


def parse_object(payload: bytes | str, what: str = "message", limit: int = MAX_PAYLOAD) -> dict[str, Any]:
    """One JSON object from a foreign payload of at most `limit` bytes: no duplicate keys, NaN or Infinity."""
    if len(payload) > limit:
        _refuse(what, f"is {len(payload)} bytes long; at most {limit} are read")
    try:
        text = payload if isinstance(payload, str) else payload.decode()
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_constant)
    except RecursionError:
        _refuse(what, "is nested too deeply")
    except MessageError as error:
        _refuse(what, str(error))
    except ValueError as error:
        _refuse(what, f"is not UTF-8 JSON ({error})")
    if not isinstance(data, dict):
        _refuse(what, f"must be a JSON object, not {_name(data)}")
    return data


def parse_utc(text: str) -> float:
    """POSIX seconds of a time as the wire writes it; MessageError for anything else."""
    if re.fullmatch(UTC_TIME, text) is None:
        raise MessageError(f"{_show(text)} is not a UTC time such as 2026-11-22T14:43:23.120Z.")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise MessageError(f"{text} is not a time of the calendar ({error}).") from error


def _build(cls: type[T], data: Mapping[str, Any], path: str) -> T:
    schema = getattr(cls, "SCHEMA", None)
    if schema is not None and (type(data.get("schema")) is not int or data["schema"] != schema):
        _refuse(f"{path}.schema", f"is {_show(data.get('schema'))}; this version reads schema {schema}")
    table = slots(cls)
    if getattr(cls, "CLOSED", False):
        unknown = set(data) - {s.key for s in table}
        if unknown:
            known = ", ".join(s.key for s in table)
            _refuse(path, f"has the unknown key {_show(min(unknown))}; it knows {known}")
    values = {}
    for slot in table:
        if slot.key in data:
            values[slot.attribute] = _check(slot.kind, data[slot.key], slot.rule, f"{path}.{slot.key}")
        elif slot.required:
            _refuse(f"{path}.{slot.key}", "is missing")
    return cls(**values)


def _check(kind: Any, value: Any, rule: Rule, path: str) -> Any:
    """`value` as the declared type, or a MessageError."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = next(a for a in get_args(kind) if a is not type(None))
        return None if value is None else _check(inner, value, rule, path)
    if origin is tuple:
        return _check_list(get_args(kind)[0], value, rule, path)
    if kind is dict or origin is dict:
        return value if isinstance(value, dict) else _refuse(path, f"must be an object, not {_name(value)}")
    if is_dataclass(kind) and isinstance(kind, type):
        return _build(kind, value, path) if isinstance(value, dict) else _refuse(path, "must be an object")
    if kind is bool:
        return value if isinstance(value, bool) else _refuse(path, f"must be true or false, not {_show(value)}")
    return _check_text(value, rule, path) if kind is str else _check_number(kind, value, rule, path)


def _check_list(kind: Any, value: Any, rule: Rule, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        _refuse(path, f"must be a list, not {_name(value)}")
    fewest, most = rule.items
    if not fewest <= len(value) <= most:
        _refuse(path, f"has {len(value)} items; {fewest} to {most} are allowed")
    return tuple(_check(kind, item, rule, f"{path}[{i}]") for i, item in enumerate(value))


def _check_text(value: Any, rule: Rule, path: str) -> str:
    if not isinstance(value, str):
        _refuse(path, f"must be a text, not {_name(value)}")
    if len(value) > rule.max_length:
        _refuse(path, f"is {len(value)} characters long; at most {rule.max_length} are allowed")
    if UNPRINTABLE.search(value):
        _refuse(path, "holds control characters")
    if rule.choices is not None and value not in rule.choices:
        _refuse(path, f"is {_show(value)}; allowed are {', '.join(rule.choices)}")
    if rule.pattern is not None and re.fullmatch(rule.pattern, value) is None:
        _refuse(path, f"is {_show(value)}, which is not of the form {rule.pattern}")
    if rule.pattern == UTC_TIME:
        parse_utc(value)
    return value


def _check_number(kind: Any, value: Any, rule: Rule, path: str) -> int | float:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not isinstance(value, int | float) or (kind is int and not whole):
        _refuse(path, f"must be a {'whole number' if kind is int else 'number'}, not {_show(value)}")
    if abs(value) > MAX_INTEGER if isinstance(value, int) or kind is int else not math.isfinite(value):
        _refuse(path, "is beyond the numbers a message may hold")
    if (rule.minimum is not None and value < rule.minimum) or (rule.maximum is not None and value > rule.maximum):
        low, high = (rule.minimum, rule.maximum)
        _refuse(path, f"is {_show(value)}; allowed is {low} to {'any' if high is None else high}")
    return int(value) if kind is int else float(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return value.to_dict()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise MessageError("holds the same key twice")
    return data


def _constant(name: str) -> NoReturn:
    raise MessageError(f"holds {name}, which is not JSON")


def _refuse(path: str, why: str) -> NoReturn:
    raise MessageError(f"{path} {why}.")


def _name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _show(value: Any) -> str:
    """Make a foreign value fit for one line of a log: short, and nothing but printable ASCII."""
    if isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        return "a very large number"
    text = ascii(value) if isinstance(value, str | int | float | type(None)) else _name(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
