"""Locating through the server: two nodes are asked, their recordings fetched and correlated, the result kept."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leakear.dashboard.pipes import worker
from leakear.edge.messages.reports import utc_text, uuid7
from leakear.train.simulator.pairs import Case, render
from tests.support.harness import Dashboard
from tests.support.pairs import case
from tests.support.recording_node import RecordingNode, flac

A, B = ["site-a", "pit-1"], ["site-a", "pit-2"]


def made(**changes: Any) -> tuple[Case, bytes, bytes]:
    """A steel pipe of 100 m with a leak at 30 m."""
    found = case(3, position=30.0, **changes)
    a, b = render(found)
    return found, flac(a, found.rate), flac(b, found.rate)


@pytest.fixture(scope="module")
def sounds() -> tuple[Case, bytes, bytes]:
    return made()


@contextmanager
def nodes(port: int, sounds: tuple[Case, bytes, bytes]) -> Iterator[tuple[RecordingNode, RecordingNode]]:
    found, a, b = sounds
    with RecordingNode(port, "pit-1", a, found.rate) as one, RecordingNode(port, "pit-2", b, found.rate) as other:
        for node in (one, other):
            node.online()
            node.report()
        yield one, other


def post(dashboard: Dashboard, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(
        dashboard.url + path, json.dumps(body or {}).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def pipe_of(dashboard: Dashboard, found: Case, **changes: Any) -> str:
    """The pipe, made once and changed when it is there."""
    low, high = found.speed_range
    values = {"a": A, "b": B, "length": 100, "material": "steel", "speed_low": low, "speed_high": high, **changes}
    known = [row["id"] for row in dashboard.get("/api/pipes")["pipes"]]
    status, answer = post(dashboard, f"/api/pipes/{known[0]}" if known else "/api/pipes", values)
    assert status == 200, answer
    return str(answer["pipe"]["id"])


def ended(dashboard: Dashboard, location: str, timeout: float = 90) -> dict[str, Any]:
    found = dashboard.until(
        f"/api/locations/{location}", lambda one: one["location"]["state"] in ("done", "failed") and one, timeout
    )
    return dict(found)


def located(dashboard: Dashboard, pipe: str) -> dict[str, Any]:
    status, answer = post(dashboard, f"/api/pipes/{pipe}/locate", {"seconds": 8})
    assert status == 200, answer
    return ended(dashboard, answer["location"]["id"])


def test_a_leak_is_located_from_the_recordings_of_two_nodes(dashboard: Dashboard, mqtt: Any, sounds: Any) -> None:
    with nodes(mqtt.port, sounds) as (one, other):
        other.late_s = 0.0
        event = one.turn("LEAK")
        dashboard.until("/api/alerts", lambda page: any(row["id"] == event.id for row in page["rows"]))
        one.lost = {1}
        pipe = pipe_of(dashboard, sounds[0])
        answer = located(dashboard, pipe)
        found = answer["location"]
        assert found["state"] == "done", found
        assert found["result"]["position_m"] == pytest.approx(30.0, abs=1.0)
        low, high = found["result"]["interval_95_m"]
        assert low < 30.0 < high
        assert (found["event_a"], found["event_b"], found["cause"]) == (event.id, None, "person")
        assert len(answer["curves"]["correlation"]["delay_ms"]) <= 400
        assert len([1 for name, _ in one.commands if name == "clip"]) == 2, "the part that was lost is asked for again"
        starts = [request for name, request in (*one.commands, *other.commands) if request.get("action") == "start"]
        assert len({(request["recording"], request["start"]) for request in starts}) == 1
        said = dashboard.get("/api/certainties")["certainties"][event.id]
        assert said["change"] == "raised"
        assert "between pit-1 and pit-2 in 1 of 1 recordings, 30." in said["sentence"]
        one.turn("OK")


def test_files_for_others(dashboard: Dashboard, mqtt: Any, sounds: Any) -> None:
    with nodes(mqtt.port, sounds):
        pipe = pipe_of(dashboard, sounds[0])
        found = located(dashboard, pipe)["location"]
    with urllib.request.urlopen(f"{dashboard.url}/api/locations/{found['id']}/report") as answer:
        page = answer.read().decode()
        assert "attachment" in answer.headers["content-disposition"]
    assert "m from A" in page
    with urllib.request.urlopen(f"{dashboard.url}/api/pipes/{pipe}/locations.csv") as answer:
        head, first, *_ = answer.read().decode().splitlines()
    row = dict(zip(head.split(","), first.split(","), strict=True))
    assert float(row["position_m"]) == found["result"]["position_m"]
    assert row["id"] == found["id"]


@pytest.mark.parametrize(
    ("fault", "node", "sentence"),
    [
        ({"refusal": "This site does not let sound leave it: set commands.allow_clip."}, "site-a/pit-2", "let sound"),
        ({"damaged": True}, "site-a/pit-2", "arrived damaged"),
        ({"sound": b"RIFF" * 2000}, "site-a/pit-2", "not audio/flac"),
        ({"sound": b"x" * (9 << 20)}, "site-a/pit-2", "larger than 8 MiB"),
    ],
)
def test_what_a_node_does_not_do_is_told_with_its_name(
    dashboard: Dashboard, mqtt: Any, sounds: Any, fault: dict[str, Any], node: str, sentence: str
) -> None:
    with nodes(mqtt.port, sounds) as (one, other):
        for name, value in fault.items():
            setattr(other, name, value)
        found = located(dashboard, pipe_of(dashboard, sounds[0]))["location"]
        assert (found["state"], found["reason_node"]) == ("failed", node)
        assert sentence in found["reason"]
        assert found["result"] == {}
        if "refusal" in fault:
            assert one.recordings == {}, "it keeps nothing that nobody fetches"


def test_asked_twice_it_is_done_once_and_it_can_be_cancelled(dashboard: Dashboard, mqtt: Any, sounds: Any) -> None:
    with nodes(mqtt.port, sounds) as (one, _):
        one.polls = 1000
        pipe = pipe_of(dashboard, sounds[0])
        first, second = (post(dashboard, f"/api/pipes/{pipe}/locate")[1]["location"]["id"] for _ in range(2))
        assert first == second
        assert post(dashboard, f"/api/pipes/{pipe}/remove")[0] == 409
        dashboard.until(f"/api/locations/{first}", lambda found: found["location"]["state"] == "recording")
        assert post(dashboard, f"/api/locations/{first}/cancel")[0] == 200
        assert "cancelled it" in ended(dashboard, first)["location"]["reason"]
        dashboard.until("/api/pipes", lambda _: one.recordings == {})
        assert post(dashboard, f"/api/locations/{first}/cancel")[0] == 404


def test_an_interrupted_job_is_told_after_a_restart(mqtt: Any, sounds: Any, tmp_path: Path) -> None:
    with Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path) as dashboard:
        dashboard.ready()
        with nodes(mqtt.port, sounds) as (one, _):
            one.polls = 1000
            pipe = pipe_of(dashboard, sounds[0])
            job = post(dashboard, f"/api/pipes/{pipe}/locate")[1]["location"]["id"]
            dashboard.until(f"/api/locations/{job}", lambda found: found["location"]["state"] == "recording")
            dashboard.kill()
            dashboard.start().ready()
            found = ended(dashboard, job)["location"]
            assert found["reason"].startswith("The dashboard was restarted")
            one.polls = 0
            assert located(dashboard, pipe)["location"]["state"] == "done"
            assert [row["state"] for row in dashboard.get(f"/api/pipes/{pipe}")["locations"]] == ["done", "failed"]


def test_two_neighbours_that_suspect_a_leak_are_correlated_once(mqtt: Any, sounds: Any, tmp_path: Path) -> None:
    with (
        Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path) as dashboard,
        nodes(mqtt.port, sounds) as (one, other),
    ):
        dashboard.ready()
        pipe = pipe_of(dashboard, sounds[0])
        first = one.turn("WARNING")
        second = other.turn("LEAK")
        rows = dashboard.until(
            f"/api/pipes/{pipe}",
            lambda page: len(page["locations"]) == 1 and page["locations"][0]["state"] == "done" and page["locations"],
            120,
        )
        assert (rows[0]["cause"], rows[0]["asked_by"]) == ("alert", "leakear")
        assert {rows[0]["event_a"], rows[0]["event_b"]} == {first.id, second.id}
        other.turn("WARNING")
        dashboard.until("/api/alerts?filter=all", lambda page: len(page["rows"]) == 3)
        assert len(dashboard.get(f"/api/pipes/{pipe}")["locations"]) == 1, "once an hour at the most"
        assert set(dashboard.get("/api/certainties")["certainties"]) == {first.id, second.id}


def test_an_alert_of_one_node_or_a_pipe_that_is_switched_off_locates_nothing(
    mqtt: Any, sounds: Any, tmp_path: Path
) -> None:
    with (
        Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", tmp_path) as dashboard,
        nodes(mqtt.port, sounds) as (one, other),
    ):
        dashboard.ready()
        pipe = pipe_of(dashboard, sounds[0], automatic=False)
        one.turn("LEAK")
        other.turn("LEAK")
        dashboard.until("/api/alerts", lambda page: len(page["rows"]) == 2)
        other.turn("OK")
        dashboard.until("/api/alerts?filter=all", lambda page: len(page["rows"]) == 3)
        pipe_of(dashboard, sounds[0], automatic=True)
        one.turn("WARNING")
        dashboard.until("/api/alerts?filter=all", lambda page: len(page["rows"]) == 4)
        assert dashboard.get(f"/api/pipes/{pipe}")["locations"] == []
        assert not [name for name, _ in (*one.commands, *other.commands) if name == "record"]


def test_mistakes_in_a_pipe_are_one_sentence_each(dashboard: Dashboard, sounds: Any) -> None:
    good = {"a": ["site-a", "x-1"], "b": ["site-a", "x-2"], "length": 50, "material": "pvc"}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"b": ["site-a", "x-1"]}, "two different nodes"),
        ({"b": None}, "two nodes"),
        ({"a": ["site a", "x"]}, "site is"),
        ({"length": 0}, "length"),
        ({"length": "50"}, "not a number"),
        ({"length": 1e9}, "length"),
        ({"material": "gold"}, "material"),
        ({"diameter": 110}, "wall"),
        ({"diameter": 10, "wall": 6}, "fit"),
        ({"speed_low": 400}, "range"),
        ({"speed_low": 600, "speed_high": 400}, "speed"),
    ]
    for change, word in wrong:
        status, answer = post(dashboard, "/api/pipes", good | change)
        assert (status, word in answer["error"]) == (422, True), answer
    assert post(dashboard, "/api/pipes/none")[0] == 404
    assert post(dashboard, "/api/pipes/none/locate")[0] == 404
    status, answer = post(dashboard, "/api/pipes", good)
    assert status == 200
    swapped = good | {"a": good["b"], "b": good["a"]}
    assert "already" in post(dashboard, "/api/pipes", swapped)[1]["error"]
    assert post(dashboard, f"/api/pipes/{answer['pipe']['id']}/remove")[0] == 200


def nightly(node: RecordingNode, posix: float, level: float) -> None:
    name = uuid7(posix)
    known = node._made({"recording": name, "start": utc_text(posix), "seconds": 8.0})
    node.recordings[name] = node.kept(replace(known, trigger="night"), level_dbfs=level)


def test_the_correlating_process_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEAKEAR_BROKER_PASSWORD", "PGPASSWORD", "CREDENTIALS_DIRECTORY"):
        monkeypatch.setenv(name, "secret")
    given = worker.environment()
    assert "secret" not in given.values()
    assert given["PATH"]
