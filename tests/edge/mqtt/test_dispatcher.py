"""The dispatcher answers everything, carries out what is sound, and nothing hostile gets through it."""

import base64
import hashlib
import json
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from leakear.edge.messages.recordings import RecordResult
from leakear.edge.messages.reports import CommandResult
from leakear.edge.messages.requests import (
    REQUESTS,
    CalibrateRequest,
    ClipRequest,
    ModelRequest,
    RecordRequest,
    Request,
    ResendRequest,
    SetRequest,
    WatchRequest,
)
from leakear.edge.messages.results import (
    CalibrateResult,
    IdentifyResult,
    ModelResult,
    ResendResult,
    SelftestResult,
    SetResult,
    StatusResult,
    WatchResult,
)
from leakear.edge.mqtt.dispatcher import MODEL_REQUEST_BYTES, Clip, CommandOptions, CommandRefused, Dispatcher
from leakear.edge.mqtt.link import Link
from leakear.edge.outbox.queue import Outbox, OutboxOptions
from tests.support.broker import Broker, Subscriber
from tests.support.contract import problems, validator
from tests.support.links import NODE, options, pump

EXAMPLE_IDENTITY = IdentifyResult.from_json(validator("result-identify").schema["examples"][0])  # type: ignore[index]
EXAMPLE_STATUS = StatusResult.from_json(validator("result-status").schema["examples"][0])  # type: ignore[index]
EVENT_ID = "019ab2c4-5d6e-7f80-9a1b-2c3d4e5f6071"
RESULTS = "leakear/site/n1/cmd/+/result"


class Recorder:
    """Controls that do nothing but remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.clip_bytes = bytes(range(256)) * 400

    def identify(self, request: Request) -> IdentifyResult:
        self.asked.append(request)
        return EXAMPLE_IDENTITY

    def status(self, request: Request) -> StatusResult:
        self.asked.append(request)
        return EXAMPLE_STATUS

    def selftest(self, request: Request) -> SelftestResult:
        self.asked.append(request)
        raise ZeroDivisionError("a bug")

    def set(self, request: SetRequest) -> SetResult:
        self.asked.append(request)
        return SetResult(threshold=0.5, step_s=10.0, muted_until=None)

    def calibrate(self, request: CalibrateRequest) -> CalibrateResult:
        self.asked.append(request)
        raise CommandRefused("The baseline is not stable.")

    def model(self, request: ModelRequest) -> ModelResult:
        self.asked.append(request)
        return ModelResult(stage="discarded", next_part=0, parts=0)

    def resend(self, request: ResendRequest) -> ResendResult:
        self.asked.append(request)
        return ResendResult(events=1, next_seq=None)

    def watch(self, request: WatchRequest) -> WatchResult:
        self.asked.append(request)
        return WatchResult(seconds=request.seconds)

    def clip(self, request: ClipRequest) -> Clip:
        self.asked.append(request)
        return Clip(request.event_id, "audio/flac", self.clip_bytes, request.wanted)

    def record(self, request: RecordRequest) -> RecordResult:
        self.asked.append(request)
        return RecordResult(recordings=())


class Bench:
    """A dispatcher with a clock that the test turns."""

    def __init__(self, **options: Any) -> None:
        self.now = 0.0
        self.controls = Recorder()
        self.sent: list[tuple[str, bytes]] = []
        reply = lambda suffix, payload: self.sent.append((suffix, payload))  # noqa: E731
        self.dispatcher = Dispatcher(CommandOptions(**options), self.controls, reply, lambda: self.now)

    def ask(self, name: str, body: object) -> list[CommandResult]:
        """Answers to one command; each follows the published schema."""
        self.sent.clear()
        self.dispatcher.handle(name, body if isinstance(body, bytes) else json.dumps(body).encode())
        for _ in range(20 if name == "clip" else 0):
            self.dispatcher.tick()
        for suffix, payload in self.sent:
            assert suffix == f"cmd/{name}/result"
            assert problems(f"leakear/s/n/{suffix}", payload) == []
        return [CommandResult.from_json(payload) for _, payload in self.sent]


@pytest.fixture
def bench() -> Bench:
    return Bench(burst=1000, allow_clip=True)


@pytest.fixture
def broker_of_3000() -> Iterator[Broker]:
    with Broker(extra="max_packet_size 3000") as running:
        yield running


SOUND: dict[str, dict[str, Any]] = {
    "identify": {},
    "status": {},
    "set": {"threshold": 0.7},
    "model": {"action": "install"},
    "watch": {"seconds": 5},
    "resend": {"from_seq": 1, "to_seq": 3},
    "record": {"action": "list"},
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_command_is_carried_out_and_answered_with_its_id(bench: Bench, name: str) -> None:
    (answer,) = bench.ask(name, {"id": "x1", **SOUND[name]})
    assert (answer.id, answer.ok, answer.error) == ("x1", True, None)
    assert len(bench.controls.asked) == bench.dispatcher.done == 1


def test_a_clip_comes_in_parts_that_make_it_whole(bench: Bench) -> None:
    answers = bench.ask("clip", {"id": "c", "event_id": EVENT_ID})
    assert [a.result["part"] for a in answers] == list(range(answers[0].result["parts"]))
    assert b"".join(base64.b64decode(a.result["data"]) for a in answers) == bench.controls.clip_bytes
    assert all(len(payload) < 80_000 for _, payload in bench.sent)


def test_the_parts_that_did_not_arrive_can_be_asked_for(bench: Bench) -> None:
    answers = bench.ask("clip", {"id": "c", "event_id": EVENT_ID, "wanted": [2, 0]})
    assert [a.result["part"] for a in answers] == [2, 0]
    whole = bench.controls.clip_bytes
    assert {a.result["sha256"] for a in answers} == {hashlib.sha256(whole).hexdigest()}
    assert base64.b64decode(answers[0].result["data"]) == whole[2 * 49152 :]
    (answer,) = bench.ask("clip", {"id": "c", "event_id": EVENT_ID, "wanted": [3]})
    assert "has 3 parts" in str(answer.error)


def test_a_part_of_a_clip_waits_until_the_broker_has_everything_else(bench: Bench) -> None:
    idle: list[bool | None] = [False]
    sent: list[str] = []
    controls = Recorder()
    options = CommandOptions(allow_clip=True)
    dispatcher = Dispatcher(options, controls, lambda name, _: sent.append(name), lambda: 0.0, lambda: idle[0])
    request = json.dumps({"id": "c", "event_id": EVENT_ID}).encode()
    dispatcher.handle("clip", request)
    dispatcher.tick()
    assert sent == []
    idle[0] = True
    dispatcher.tick()
    assert len(sent) == 1
    for _ in range(3):
        dispatcher.handle("clip", request)
    assert len(sent) == 3  # two refusals: two clips wait
    idle[0] = None  # no broker: whoever asked must ask again
    dispatcher.tick()
    idle[0] = True
    dispatcher.tick()
    assert len(sent) == 3


def test_an_answer_that_the_broker_does_not_take_is_answered_so(broker_of_3000: Broker, tmp_path: Path) -> None:
    controls = Recorder()
    controls.clip_bytes = bytes(200_000)
    with Outbox(tmp_path / "outbox.db", OutboxOptions()) as box, Subscriber(broker_of_3000, RESULTS) as seen:
        link = Link(options(broker_of_3000), NODE, box)
        dispatcher = Dispatcher(CommandOptions(allow_clip=True), controls, partial(link.send, qos=1))
        link.start()
        assert link.drain(20)
        dispatcher.handle("clip", json.dumps({"id": "c", "event_id": EVENT_ID}).encode())
        dispatcher.tick()
        dispatcher.handle("watch", json.dumps({"id": "w", "seconds": 5}).encode())
        pump(link, lambda: len(seen.on("#")) >= 2)
        link.stop()
        first, second = (CommandResult.from_json(m.payload) for m in seen.on("#"))
    assert (first.id, first.ok, second.id, second.ok) == ("c", False, "w", True)
    assert "max_packet_size" in str(first.error)


def test_requests_to_send_again_have_a_rate_of_their_own(bench: Bench) -> None:
    """Whoever may only watch may ask for missing events, and delays no other command."""
    for _ in range(100):
        bench.ask("resend", {"id": "r", "from_seq": 1, "to_seq": 3})
    asked = len(bench.controls.asked)
    assert asked < 100
    (answer,) = bench.ask("status", {"id": "s"})
    assert answer.ok
    bench.now += 60
    (answer,) = bench.ask("resend", {"id": "r", "from_seq": 1, "to_seq": 3})
    assert answer.ok


def test_sound_does_not_leave_a_site_that_did_not_allow_it() -> None:
    bench = Bench()
    for name, body in (("clip", {"event_id": EVENT_ID}), ("record", {})):
        (answer,) = bench.ask(name, {"id": "c", **body})
        assert (answer.ok, answer.id) == (False, "c")
        assert "commands.allow_clip" in str(answer.error)
    assert bench.controls.asked == []


@pytest.mark.parametrize(
    ("name", "body", "sentence"),
    [
        ("set", {"id": "a", "treshold": 0.5}, "has the unknown key 'treshold'"),
        ("set", {"id": "a", "threshold": 1.5}, "SetRequest.threshold is 1.5; allowed is 0.01 to 0.99."),
        ("set", {"id": "a", "threshold": "0.5"}, "must be a number"),
        ("set", {"id": "a", "step_s": 0}, "allowed is 0.5 to 600"),
        ("watch", {"id": "a", "seconds": 1e9}, "allowed is 0 to 3600"),
        ("model", {"id": "a", "action": "format"}, "allowed are put, install, discard"),
        ("clip", {"id": "a", "event_id": "../../etc/passwd"}, "not of the form"),
        ("calibrate", {"id": "a"}, "CalibrateRequest.action is missing."),
        ("calibrate", {"id": "a", "action": "start"}, "The baseline is not stable."),
        ("reboot", {"id": "a"}, "There is no command reboot; known are identify"),
        ("handle", {"id": "a"}, "There is no command handle"),
        ("status", b"[" * 4000, "cmd/status is n"),  # nested too deeply, or (from Python 3.13 on) not JSON
        ("status", b" " * 5000, "at most 4096 are read"),
        ("model", b" " * (MODEL_REQUEST_BYTES + 1), "are read"),
        ("selftest", {"id": "a"}, "The node failed at this; see its log."),
    ],
)
def test_a_refusal_says_why(bench: Bench, name: str, body: object, sentence: str) -> None:
    (answer,) = bench.ask(name, body)
    assert not answer.ok
    assert sentence in str(answer.error)
    assert answer.id == ("a" if isinstance(body, dict) else "")
    assert bench.dispatcher.refused == 1


def test_names_that_are_no_names_are_counted_and_not_echoed(bench: Bench) -> None:
    for name in ("", "SET", "a" * 17, "set/x", "__init__", "\u0000"):
        assert bench.ask(name, {"id": "a"}) == []
    assert bench.dispatcher.refused == 6


def test_a_flood_is_answered_once_a_second() -> None:
    bench = Bench(burst=3, per_second=0.5)
    answers = [answer for _ in range(1000) for answer in bench.ask("status", {"id": "f"})]
    assert [a.ok for a in answers] == [True] * 3 + [False]
    bench.now = 2.0
    assert [a.ok for a in bench.ask("status", {"id": "f"})] == [True]
    assert bench.dispatcher.refused == 997


def test_a_node_that_takes_no_commands_takes_none() -> None:
    bench = Bench(enabled=False)
    assert bench.ask("status", {"id": "x"}) == []
    assert bench.controls.asked == []


def test_a_node_that_takes_no_model_over_mqtt_refuses_it() -> None:
    bench = Bench(allow_model=False)
    (answer,) = bench.ask("model", {"id": "m", "action": "install"})
    assert (answer.ok, answer.id) == (False, "m")
    assert "commands.allow_model" in str(answer.error)
    assert bench.controls.asked == []


def test_other_options_hold_from_the_next_command_on() -> None:
    bench = Bench(enabled=False)
    bench.dispatcher.configure(CommandOptions(burst=2, per_second=0.01))
    assert [a.ok for _ in range(4) for a in bench.ask("status", {"id": "x"})] == [True, True, False]


def test_a_long_pause_gives_no_more_than_the_burst() -> None:
    bench = Bench(burst=3, per_second=2)
    bench.now = 1000.0
    assert [a.ok for _ in range(5) for a in bench.ask("status", {"id": "x"})] == [True] * 3 + [False]
    bench.now += 0.5  # one more command, and no answer to a flood within a second
    assert [a.ok for _ in range(3) for a in bench.ask("status", {"id": "x"})] == [True]
    bench.now += 0.5
    assert [a.ok for _ in range(3) for a in bench.ask("status", {"id": "x"})] == [True, False]


def test_an_empty_clip_is_one_empty_part(bench: Bench) -> None:
    bench.controls.clip_bytes = b""
    (answer,) = bench.ask("clip", {"id": "c", "event_id": EVENT_ID})
    assert (answer.result["part"], answer.result["parts"], answer.result["data"]) == (0, 1, "")


def test_a_long_refusal_is_cut_to_what_a_message_holds(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Request) -> StatusResult:
        raise CommandRefused("x" * 600)

    monkeypatch.setattr(bench.controls, "status", refuse)
    (answer,) = bench.ask("status", {"id": "a"})
    assert answer.error == "x" * 500


def hostile(rng: random.Random, name: str) -> bytes:
    """One payload of the kinds that break parsers: noise, wrong types, deep, long, almost right."""
    keys = ("id", "threshold", "step_s", "mute_until", "event_id", "action", "sha256", "size", "part", "data")
    texts = ["", "x" * 300, "\u0000", "../..", "put", "start", EVENT_ID]
    values: list[Any] = [None, True, -1, 2**70, 1e308, [[]], {"a": {}}, *texts]
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randrange(64))
    if kind == 1:
        return b'{"id":' + rng.choice([b"[", b'{"a":']) * rng.randrange(5000)
    if kind == 2:
        return b'{"id":"' + b"a" * rng.choice([10, 5_000, 200_000]) + b'"}'
    if kind == 3:
        return b'{"id":"a","size":' + b"9" * rng.randrange(1, 5000) + b"}"
    body: dict[str, Any] = {key: rng.choice(values) for key in rng.sample(keys, rng.randrange(len(keys)))}
    if kind == 4:
        body["id"] = "h"
    text = json.dumps(body)
    cut = rng.randrange(len(text)) if rng.random() < 0.2 else len(text)
    return text[:cut].encode()


def test_ten_thousand_hostile_payloads_change_nothing_but_a_count() -> None:
    """Whatever reaches the controls is a sound request; everything else is refused, and nothing raises."""
    bench, rng, known = Bench(burst=1000, per_second=100, allow_clip=True), random.Random(4), list(REQUESTS)
    for index in range(12_000):
        bench.now += 1.0
        name = rng.choice(known) if index % 50 else rng.choice(["", "x", "réboot", "result", "handle", "_note"])
        bench.sent.clear()
        bench.dispatcher.handle(name, hostile(rng, name))
        for suffix, payload in bench.sent:
            assert problems(f"leakear/s/n/{suffix}", payload) == []
            assert len(payload) < 80_000
    assert bench.dispatcher.done + bench.dispatcher.refused == 12_000
    assert len(bench.controls.asked) > 100
    for request in bench.controls.asked:
        assert type(request).from_json(request.to_json()) == request
