"""Check what was really sent against the published schemas, with a validator that is none of ours.

from tests.support.contract import problems
assert problems(topic, payload) == []
"""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.places import ROOT

SCHEMAS = ROOT / "docs" / "schemas"


@cache
def validator(name: str) -> Draft202012Validator:
    """Validator of docs/schemas/<name>.json."""
    return Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text()))


def schema_name(topic: str) -> str:
    """Which schema a topic's payload follows."""
    suffix = topic.split("/", 3)[3]
    if suffix.startswith("cmd/"):
        return "command-result" if suffix.endswith("/result") else "cmd-" + suffix.removeprefix("cmd/")
    return suffix


def problems(topic: str, payload: bytes) -> list[str]:
    """Everything the schema of this topic has against this payload; a result that was done has one of its own."""
    name = schema_name(topic)
    data: Any = payload.decode() if name == "availability" else json.loads(payload)
    errors = list(validator(name).iter_errors(data))
    if name == "command-result" and data.get("ok") is True:
        errors += validator("result-" + topic.split("/")[-2]).iter_errors(data["result"])
    return [f"{topic}: {error.json_path} {error.message}" for error in errors]
