"""Messages go over the wire and come back; whatever else arrives is refused with a sentence."""

import json
import re
import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leakear.edge.errors import ConfigError, InputDataError
from leakear.edge.messages.codec import MAX_PAYLOAD
from leakear.edge.messages.reports import (
    UUID7,
    Availability,
    CommandResult,
    Event,
    Identity,
    Message,
    MessageError,
    ModelRef,
    Spectrum,
    State,
    Telemetry,
    parse_utc,
    utc_text,
    uuid7,
)

MODEL = ModelRef(id="m-1", sha256="ab" * 32)
NOW = "2026-11-22T14:43:23.120Z"
EVENT = Event(
    id=uuid7(), seq=7, site="s", node="n", kind="state", from_state="OK", to_state="LEAK", reason="Es läuft.",
    window_start=NOW, window_end=NOW, score=0.9, faults=("clipping",), model=MODEL,
)  # fmt: skip
STATE = State(
    site="s", node="n", state="OK", since=NOW, score=None, level_dbfs=-50.0, noise_floor_dbfs=None, faults=(),
    threshold=0.5, muted_until=None, model=MODEL, staged_model=MODEL, firmware="0.1.0", window_end=None, window_s=10.0,
    step_s=10.0, clock_synced=True, seq=0, queue_depth=0,
)  # fmt: skip
CLASSES: tuple[type[Message], ...] = (State, Event, Telemetry, Spectrum, CommandResult, ModelRef)


@pytest.mark.parametrize("original", [EVENT, STATE, CommandResult(id="a", ok=True, result={"x": [1, {"y": None}]})])
def test_a_message_survives_the_wire(original: Message) -> None:
    payload = original.to_json()
    assert type(original).from_json(payload) == original
    assert type(original).from_json(payload.decode()) == original
    assert type(original).from_json(json.loads(payload)) == original


def test_the_wire_says_from_and_to_and_its_schema_first() -> None:
    data = json.loads(EVENT.to_json())
    assert (data["from"], data["to"], data["schema"]) == ("OK", "LEAK", 1)
    assert next(iter(data)) == "schema"
    assert "Es läuft." in EVENT.to_json().decode()


def test_a_number_that_is_not_finite_becomes_null_instead_of_a_dead_daemon() -> None:
    sent = replace(EVENT, score=float("nan"), level_dbfs=float("-inf")).to_json()
    assert Event.from_json(sent).score is None
    assert Event.from_json(sent).level_dbfs is None


def test_a_key_from_a_newer_release_is_ignored_but_another_schema_is_not() -> None:
    data = json.loads(EVENT.to_json())
    assert Event.from_json({**data, "news": 1}) == EVENT
    with pytest.raises(MessageError, match=r"Event\.schema is 2; this version reads schema 1"):
        Event.from_json({**data, "schema": 2})


NIGHT = {
    "date": "2026-01-01", "hours": "02:00-04:00", "judged": 0, "level_dbfs": None, "spread_db": None,
    "steadiness": None, "hz": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("seq", "1", "Event.seq must be a whole number, not '1'."),
        ("seq", True, "Event.seq must be a whole number, not True."),
        ("seq", 1.5, "Event.seq must be a whole number"),
        ("seq", 2**60, "Event.seq is beyond the numbers a message may hold."),
        ("seq", -1, "Event.seq is -1; allowed is 0 to any."),
        ("score", 1.01, "Event.score is 1.01; allowed is 0 to 1."),
        ("score", [], "Event.score must be a number, not a list."),
        ("id", "7", "Event.id is '7', which is not of the form"),
        ("kind", "joke", "Event.kind is 'joke'; allowed are state, fault, dropped, model, night, test."),
        ("to", None, "Event.to must be a text, not null."),
        ("reason", "a\nb", "Event.reason holds control characters."),
        ("reason", "\ud800", "Event.reason holds control characters."),
        ("reason", "x" * 501, "Event.reason is 501 characters long; at most 500 are allowed."),
        ("faults", ["a"] * 65, "Event.faults has 65 items; 0 to 64 are allowed."),
        ("faults", [["a"]], "Event.faults[0] must be a text, not a list."),
        ("faults", "a", "Event.faults must be a list, not a text."),
        ("model", {"id": "m"}, "Event.model.sha256 is missing."),
        ("model", 3, "Event.model must be an object, not a number."),
        ("evidence", 1, "Event.evidence must be true or false, not 1."),
        ("window_end", "2026-02-30T00:00:00.000Z", "is not a time of the calendar"),
        ("window_end", "2026-11-22T14:43:23Z", "Event.window_end is '2026-11-22T14:43:23Z', which is not of the form"),
        ("site", "a/b", "Event.site is 'a/b', which is not of the form"),
        ("site", "é", "which is not of the form"),
        (
            "night",
            NIGHT | {"date": "2026-02-30"},
            "2026-02-30 is not a day of the calendar (day ",
        ),
        ("night", NIGHT | {"date": "0000-01-01"}, "0000-01-01 is not a day of the calendar"),
        ("night", NIGHT | {"date": "２０２６-01-01"}, "which is not of the form"),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object, sentence: str) -> None:
    with pytest.raises(MessageError, match=re.escape(sentence)):
        Event.from_json({**json.loads(EVENT.to_json()), key: value})


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (b"", "is not UTF-8 JSON"),
        (b"\xff\xfe", "is not UTF-8 JSON"),
        (b"[]", "must be a JSON object, not a list"),
        (b"null", "must be a JSON object, not null"),
        (b'{"schema":1,"schema":1}', "holds the same key twice"),
        (b'{"schema":NaN}', "holds NaN, which is not JSON"),
        (b'{"schema":1e999}', "Event.schema is inf"),
        (b"[" * 200_000, "is nested too deeply"),
        (b'{"schema":' + b"9" * 10_000 + b"}", "is not UTF-8 JSON"),
        (b" " * (MAX_PAYLOAD + 1), f"at most {MAX_PAYLOAD} are read"),
    ],
)
def test_a_payload_that_is_no_object_is_refused(payload: bytes, sentence: str) -> None:
    with pytest.raises(MessageError, match=re.escape(sentence)) as caught:
        Event.from_json(payload)
    assert isinstance(caught.value, InputDataError)
    assert len(str(caught.value)) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_nothing_but_a_message_error_comes_out_of_random_values(data: st.DataObject) -> None:
    sound = EVENT.to_dict()
    key = data.draw(st.sampled_from(list(sound)))
    value = data.draw(JSON)
    try:
        read = Event.from_json(json.dumps({**sound, key: value}))
    except MessageError as error:
        sentence = str(error)
    else:
        assert Event.from_json(read.to_json()) == read
        return
    assert sentence.isprintable()


@settings(max_examples=200, deadline=None)
@given(payload=st.binary(max_size=200), cls=st.sampled_from(CLASSES))
def test_random_bytes_are_refused(payload: bytes, cls: type[Message]) -> None:
    with pytest.raises(MessageError):
        cls.from_json(payload)


def test_availability_is_the_bare_word() -> None:
    assert Availability.ONLINE.to_json() == b"online"
    assert Availability.from_json(b"offline") is Availability.OFFLINE
    with pytest.raises(MessageError):
        Availability.from_json(b'"online"')


@pytest.mark.parametrize("posix", [0.0, 0.0005, 1e9 + 0.9996, 1795358813.566])
def test_times_survive_to_the_millisecond(posix: float) -> None:
    text = utc_text(posix)
    assert len(text) == 24
    assert abs(parse_utc(text) - posix) <= 0.00051


@pytest.mark.parametrize("posix", [-1.0, 1e300, float("nan"), float("inf")])
def test_a_broken_clock_still_gives_a_time(posix: float) -> None:
    parse_utc(utc_text(posix))


def test_uuid7_is_ordered_by_time_and_unique() -> None:
    assert re.fullmatch(UUID7, uuid7(0.0))
    assert uuid7(1000.0) < uuid7(1000.001) < uuid7(2000.0)
    assert len({uuid7(5.0) for _ in range(1000)}) == 1000


def test_topics_name_one_node_each() -> None:
    node = Identity("hill_side", "pit-7")
    assert node.topic("cmd/set") == "leakear/hill_side/pit-7/cmd/set"
    assert Identity.parse_topic(node.topic("cmd/set/result")) == (node, "cmd/set/result")
    for topic in ("leakear/a/b", "other/a/b/state", "leakear/a//state", "", "leakear/a/+/state"):
        with pytest.raises(MessageError):
            Identity.parse_topic(topic)


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "x" * 65, "é", "a b", "a\n"])
def test_a_name_that_is_no_topic_level_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="node is"):
        Identity("site", name)


def test_every_printable_name_character_is_documented() -> None:
    allowed = string.ascii_letters + string.digits + "_-"
    assert Identity(allowed[:64], allowed[:64]).site == allowed[:64]
