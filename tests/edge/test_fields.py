"""Declared fields: each rule refuses what breaks it, and says where."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from leakear.edge.fields import MAX_INTEGER, FieldError, Rule, check, check_fields, declare, declared


@dataclass(frozen=True)
class Inner:
    x: int = declare("a number", maximum=9)

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Inner":
        return cls(**check_fields(cls, given, closed=True))


@dataclass(frozen=True)
class Outer:
    from_: str = declare("a text", name="from")
    inner: Inner | None = declare("one", default=None)  # noqa: RUF009
    several: tuple[Inner, ...] = declare("many", default=(), items=(0, 2))
    undeclared: int = 0


def odd(text: str) -> None:
    if len(text) % 2 == 0:
        raise ValueError("even")


@pytest.mark.parametrize(
    ("kind", "value", "rule"),
    [
        (str, "abc", {"max_length": 3}),
        (str, "a", {"choices": ("a", "b")}),
        (str, "ab1", {"pattern": "[a-z]+1"}),
        (str, "a\nb", {"printable": False}),
        (str, "abc", {"verify": odd}),
        (int, 5, {"minimum": 5, "maximum": 5}),
        (int, MAX_INTEGER, {}),
        (int, -MAX_INTEGER, {}),
        (float, 1e300, {}),
        (bool, True, {}),
        (dict, {"a": 1}, {}),
        (int | None, None, {}),
        (int | None, 3, {}),
    ],
)
def test_a_value_that_keeps_the_rules_is_returned(kind: Any, value: Any, rule: dict[str, Any]) -> None:
    assert check(kind, value, Rule("", **rule)) == value


@pytest.mark.parametrize(
    ("kind", "value", "rule", "problem"),
    [
        (str, 3, {}, "type"),
        (str, "abcd", {"max_length": 3}, "length"),
        (str, "x" * 201, {}, "length"),
        (str, "a\nb", {}, "characters"),
        (str, "c", {"choices": ("a", "b")}, "choice"),
        (str, "ab12", {"pattern": "[a-z]+1"}, "form"),
        (int, True, {}, "type"),
        (int, "3", {}, "type"),
        (int, 3.5, {}, "type"),
        (int, 4, {"minimum": 5}, "range"),
        (int, 6, {"maximum": 5}, "range"),
        (int, MAX_INTEGER + 1, {}, "size"),
        (float, MAX_INTEGER + 1, {}, "size"),
        (float, float("nan"), {}, "size"),
        (float, float("inf"), {}, "size"),
        (float, True, {}, "type"),
        (bool, 1, {}, "type"),
        (dict, [], {}, "type"),
        (tuple[int, ...], "12", {}, "type"),
        (tuple[int, ...], [1], {"items": (2, 3)}, "items"),
        (tuple[int, ...], [1] * 4, {"items": (2, 3)}, "items"),
        (int | None, "x", {}, "type"),
    ],
)
def test_a_value_that_breaks_a_rule_names_it(kind: Any, value: Any, rule: dict[str, Any], problem: str) -> None:
    with pytest.raises(FieldError) as caught:
        check(kind, value, Rule("", **rule))
    assert (caught.value.problem, caught.value.value, caught.value.path) == (problem, value, "")


def test_what_a_text_alone_cannot_tell_is_verified() -> None:
    with pytest.raises(ValueError, match="even"):
        check(str, "ab", Rule("", verify=odd))


@pytest.mark.parametrize(
    ("kind", "value", "read"), [(int, 3.0, 3), (float, 3, 3.0), (tuple[int, ...], [1, 2.0], (1, 2))]
)
def test_numbers_become_the_declared_type(kind: Any, value: Any, read: Any) -> None:
    found = check(kind, value, Rule(""))
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    ("given", "problem", "path"),
    [
        ({}, "missing", ".from"),
        ({"from": 1}, "type", ".from"),
        ({"from": "a", "inner": {"x": 10}}, "range", ".inner.x"),
        ({"from": "a", "inner": {"x": 1, "y": 2}}, "unknown", ".inner"),
        ({"from": "a", "several": [{"x": 1}, {"x": "1"}]}, "type", ".several[1].x"),
        ({"from": "a", "undeclared": 1}, "unknown", ""),
    ],
)
def test_an_error_says_where(given: dict[str, Any], problem: str, path: str) -> None:
    with pytest.raises(FieldError) as caught:
        check_fields(Outer, given, closed=True)
    assert (caught.value.problem, caught.value.path) == (problem, path)


def test_an_unknown_key_is_named_with_the_known_ones() -> None:
    with pytest.raises(FieldError) as caught:
        check_fields(Outer, {"zz": 1, "frm": "a"}, closed=True)
    assert (caught.value.value, caught.value.known) == ("frm", ["from", "inner", "several"])
    assert check_fields(Outer, {"zz": 1, "from": "a"}, closed=False) == {"from_": "a"}


def test_values_are_returned_by_attribute_and_only_those_given() -> None:
    assert check_fields(Outer, {"from": "a", "inner": {"x": 1}}, closed=True) == {"from_": "a", "inner": Inner(1)}


def test_a_class_lists_its_declared_fields_in_order() -> None:
    assert [(each.attribute, each.key, each.required) for each in declared(Outer)] == [
        ("from_", "from", True),
        ("inner", "inner", False),
        ("several", "several", False),
    ]


@pytest.mark.parametrize("default", [[1], {"a": 1}])
def test_a_default_that_can_change_is_copied_for_each_instance(default: Any) -> None:
    @dataclass
    class Owner:
        values: Any = declare("several", default=default)  # noqa: RUF009

    Owner().values.clear()
    assert Owner().values == default
    assert declared(Owner)[0].default == default
