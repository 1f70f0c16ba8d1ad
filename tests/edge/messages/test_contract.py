"""The published contract is what the code says, and its examples follow it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from leakear.edge.messages.codec import MessageError
from leakear.edge.messages.reports import CommandResult, Event, Message, Spectrum, State, Telemetry
from leakear.edge.messages.requests import REQUESTS
from leakear.edge.messages.results import RESULTS
from tests.support.contract import SCHEMAS, validator

DOCS = SCHEMAS.parent
READERS: dict[str, type[Message]] = {
    "state": State,
    "event": Event,
    "telemetry": Telemetry,
    "spectrum": Spectrum,
    "command-result": CommandResult,
    **{f"cmd-{name}": cls for name, cls in REQUESTS.items()},
    **{f"result-{name}": cls for name, cls in RESULTS.items()},
}
NAMES = sorted(path.stem for path in SCHEMAS.glob("*.json") if path.stem in READERS)


def schema(name: str) -> dict[str, Any]:
    found = validator(name).schema
    assert isinstance(found, dict)
    return found


def test_the_files_are_what_the_code_writes() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "contract.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_message_has_a_schema() -> None:
    assert set(NAMES) == set(READERS)
    assert set(REQUESTS) == set(RESULTS)


@pytest.mark.parametrize("name", [*NAMES, "availability"])
def test_the_examples_follow_the_schema(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["examples"]
    for example in schema(name)["examples"]:
        assert list(validator(name).iter_errors(example)) == []


def accepted(name: str, data: dict[str, Any]) -> bool:
    try:
        READERS[name].from_json(data)
    except MessageError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_schema_and_reader_agree_about_what_is_wrong(name: str) -> None:
    """Each key in turn of another type or out of range: both refuse, or both accept."""
    example = schema(name)["examples"][0]
    foreign: list[Any] = [None, [], {}, "\u0007", "a" * 70_000, -1e15, 1e300, True]
    for key in example:
        for value in foreign:
            variant = {**example, key: value}
            assert accepted(name, variant) == validator(name).is_valid(variant), (name, key, value)


@pytest.mark.parametrize("name", NAMES)
def test_readers_take_the_examples(name: str) -> None:
    for example in schema(name)["examples"]:
        assert READERS[name].from_json(json.dumps(example)).to_dict() == example


def test_asyncapi_names_every_topic_and_every_payload_exists() -> None:
    document = yaml.safe_load((DOCS / "asyncapi.yaml").read_text())
    assert document["asyncapi"].startswith("3.")
    addresses = {channel["address"].removeprefix("leakear/{site}/{node}/") for channel in document["channels"].values()}
    commands = {f"cmd/{name}" for name in REQUESTS}
    reports = {"availability", "state", "event", "telemetry", "spectrum"}
    assert addresses == reports | commands | {f"{command}/result" for command in commands}
    for name, message in document["components"]["messages"].items():
        reference = message["payload"].get("$ref") or f"./schemas/{name}.json"
        assert (DOCS / reference).is_file()
    for operation in document["operations"].values():
        assert Path(operation["channel"]["$ref"]).name in document["channels"]
