"""The codec of every message: a frozen dataclass to JSON and back, one rule set for both directions.

What comes from a broker is hostile until proven otherwise: size, nesting, types, ranges and characters are checked
here, once, and every refusal is one sentence that names the key. `docs/schemas/` is generated from the same fields.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, NoReturn, Self, TypeVar, cast, dataclass_transform, get_type_hints

from leakear.edge.errors import InputDataError
from leakear.edge.fields import KEY, Invalid, Rule, check, check_time, rule_of, shown, type_name

MAX_PAYLOAD = 256 * 1024
"""Bytes; a larger payload is refused before it is parsed."""

T = TypeVar("T")


class MessageError(InputDataError):
    """A payload that is not the message it should be; the sentence names the key."""


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
    return field(default=default, metadata={KEY: Rule(doc, **rule)})


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
    declared = [(f, rule) for f in fields(cls) if (rule := rule_of(f)) is not None]
    return tuple(Slot(f.name, rule.name or f.name, hints[f.name], rule, f.default is MISSING) for f, rule in declared)


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
        _refuse(what, f"must be a JSON object, not {type_name(data)}")
    return data


def parse_utc(text: str) -> float:
    """POSIX seconds of a time as the wire writes it; MessageError for anything else."""
    try:
        return check_time(text)
    except Invalid as error:
        raise MessageError(f"{error}.") from error


def _build(cls: type[T], data: Mapping[str, Any], path: str) -> T:
    """Build a message from an object already parsed. Raises MessageError."""
    try:
        return cast("T", _instance(cls, dict(data), path))
    except Invalid as error:
        raise MessageError(f"{error}.") from None


def _instance(cls: type, data: dict[str, Any], path: str) -> Any:
    """Build a message, or a message within one. Raises Invalid."""
    schema = getattr(cls, "SCHEMA", None)
    if schema is not None and (type(data.get("schema")) is not int or data["schema"] != schema):
        raise Invalid(f"{path}.schema", f"is {shown(data.get('schema'))}; this version reads schema {schema}")
    table = slots(cls)
    if getattr(cls, "CLOSED", False):
        unknown = set(data) - {s.key for s in table}
        if unknown:
            known = ", ".join(s.key for s in table)
            raise Invalid(path, f"has the unknown key {shown(min(unknown))}; it knows {known}")
    values = {}
    for slot in table:
        where = f"{path}.{slot.key}"
        if slot.key in data:
            values[slot.attribute] = check(slot.kind, data[slot.key], slot.rule, where, _instance)
        elif slot.required:
            raise Invalid(where, "is missing")
    return cls(**values)


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
