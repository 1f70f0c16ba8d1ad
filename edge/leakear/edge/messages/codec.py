"""The codec of every message: a frozen dataclass to JSON and back, one set of rules for both directions.

What comes from a broker is not trusted: size, nesting, types, ranges and characters are checked, and every refusal is
one sentence that names the key. `docs/schemas/` is generated from the same fields.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, NoReturn, Self, TypeVar, dataclass_transform, get_origin

from leakear.edge.errors import InputDataError
from leakear.edge.fields import MAX_INTEGER, FieldError, check_fields, declare, declared

MAX_PAYLOAD = 256 * 1024
"""Bytes; a larger payload is refused before it is parsed."""
UTC_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"
"""Form of every time in a message."""

T = TypeVar("T")


class MessageError(InputDataError):
    """A payload that is not the message it should be; the sentence names the key."""


def parse_utc(text: str) -> float:
    """POSIX seconds of a time as messages write it; MessageError for anything else."""
    if re.fullmatch(UTC_TIME, text) is None:
        raise MessageError(f"{_show(text)} is not a UTC time such as 2026-11-22T14:43:23.120Z.")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise MessageError(f"{text} is not a time of the calendar ({error}).") from error


def utc_time(doc: str, **rule: Any) -> Any:
    """Declare a field that holds a time, as text: ISO-8601, UTC, milliseconds, `Z`."""
    return declare(doc, pattern=UTC_TIME, verify=parse_utc, **rule)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(declare, utc_time, field))
def message(cls: type[T]) -> type[T]:
    """Make a class a message: a frozen dataclass built by keywords."""
    return dataclass(frozen=True, kw_only=True)(cls)


class Message:
    """Base of all messages: `to_json` gives the payload, `from_json` reads a foreign one."""

    SCHEMA: ClassVar[int | None] = 1
    """The `schema` number on the wire; None for parts and requests, which carry none."""
    CLOSED: ClassVar[bool] = False
    """Whether unknown keys are refused. Requests refuse them; reports may gain keys within a schema number."""

    def to_dict(self) -> dict[str, Any]:
        """Keys and JSON values in wire order; a number that is not finite becomes null, which JSON can say."""
        head = {} if self.SCHEMA is None else {"schema": self.SCHEMA}
        return head | {each.key: _plain(getattr(self, each.attribute)) for each in declared(type(self))}

    def to_json(self) -> bytes:
        """UTF-8 payload."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes | str | Mapping[str, Any]) -> Self:
        """Read a payload (or an object already parsed); MessageError says which key is wrong and why."""
        data = payload if isinstance(payload, Mapping) else parse_object(payload, cls.__name__)
        try:
            return cls.read(data)
        except FieldError as error:
            _refuse(cls.__name__ + error.path, _sentence(error))
        except MessageError:
            raise
        except ValueError as error:  # of a rule's `verify`
            _refuse(cls.__name__, f"holds a value that cannot be ({error})")

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Build the message from an object already parsed. Raises FieldError."""
        if cls.SCHEMA is not None and (type(data.get("schema")) is not int or data["schema"] != cls.SCHEMA):
            raise FieldError("schema", data.get("schema"), kind=cls.SCHEMA).within(".schema")
        return cls(**check_fields(cls, data, closed=cls.CLOSED))


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


def _sentence(error: FieldError) -> str:
    """Return what is wrong with a value, to be put after its path."""
    rule, shown = error.rule, _show(error.value)
    if error.problem == "type":
        given = shown if error.kind in (bool, int, float) else _name(error.value)
        return f"must be {_name_of_kind(error.kind)}, not {given}"
    if error.problem == "length":
        return f"is {len(error.value)} characters long; at most {rule.max_length} are allowed"
    if error.problem == "items":
        return f"has {len(error.value)} items; {rule.items[0]} to {rule.items[1]} are allowed"
    return {
        "characters": "holds control characters",
        "choice": f"is {shown}; allowed are {', '.join(rule.choices or ())}",
        "form": f"is {shown}, which is not of the form {rule.pattern}",
        "range": f"is {shown}; allowed is {rule.minimum} to {'any' if rule.maximum is None else rule.maximum}",
        "size": "is beyond the numbers a message may hold",
        "schema": f"is {shown}; this version reads schema {error.kind}",
        "missing": "is missing",
        "unknown": f"has the unknown key {shown}; it knows {', '.join(error.known)}",
    }[error.problem]


def _name_of_kind(kind: Any) -> str:
    names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(kind, "a list" if get_origin(kind) is tuple else "an object")


def _name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _show(value: Any) -> str:
    """Make a foreign value fit for one line of a log: short, and nothing but printable ASCII."""
    if isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        return "a very large number"
    text = ascii(value) if isinstance(value, str | int | float | type(None)) else _name(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
