"""Pipes and results in both databases; what results say of an alert; recordings of the night."""

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from sqlalchemy import select

from leakear.dashboard.broker.connection import BrokerOptions
from leakear.dashboard.evidence import media
from leakear.dashboard.history import History, Row
from leakear.dashboard.history.tables import actions, open_database
from leakear.dashboard.options import ServeOptions
from leakear.dashboard.pipes import correlating
from leakear.dashboard.pipes.certainty import LOWERED, RAISED, Certainty, certainty, together
from leakear.dashboard.pipes.description import Described
from leakear.dashboard.pipes.locations import INTERRUPTED, KEPT, Locations
from leakear.dashboard.pipes.recordings import NodeRecordings, NodeRefuses, common_slot
from leakear.dashboard.pipes.store import Pipes
from leakear.dashboard.service import Service
from leakear.edge.errors import InputDataError
from leakear.edge.messages.recordings import Recording
from leakear.edge.messages.reports import utc_text, uuid7
from leakear.edge.messages.timing import SampleClock
from tests.dashboard.test_locating import nightly, nodes, sounds
from tests.support.harness import until

__all__ = ["sounds"]
STEEL = Described(("hill", "pit-1"), ("hill", "pit-2"), 100.0, "steel")
FOUND = {"fields": {"position_m": 30.0, "interval_95_m": [29.0, 31.0]}, "curves": {"x": [1]}, "page": "<p>ü</p>"}


def test_a_pipe_is_stored_with_who_and_when(engine: Any) -> None:
    pipes = Pipes(engine, History(engine))
    row = pipes.add(STEEL, "ana")
    assert Described.of_row(row) == STEEL
    with pytest.raises(InputDataError, match="already"):
        pipes.add(Described(STEEL.b, STEEL.a, 5.0, "pe"), "bob")
    other = pipes.add(Described(("hill", "pit-2"), ("hill", "pit-3"), 40.0, "pvc", 110.0, 5.3, automatic=False), "ana")
    with pytest.raises(InputDataError, match="already"):
        pipes.change(other["id"], STEEL, "bob")
    changed = pipes.change(row["id"], Described(STEEL.a, STEEL.b, 101.0, "iron"), "bob")
    assert changed is not None
    assert (changed["made_by"], changed["changed_by"], changed["length"]) == ("ana", "bob", 101.0)
    assert [one["id"] for one in pipes.of_nodes([("hill", "pit-1")])] == [row["id"]]
    assert len(pipes.of_nodes([("hill", "pit-2")])) == 2
    assert pipes.of_nodes([]) == []
    assert [one["id"] for one in pipes.automatic()] == [row["id"]]
    assert pipes.remove(row["id"], "bob")
    assert not pipes.remove(row["id"], "bob")
    assert pipes.change(row["id"], STEEL, "bob") is None
    with engine.connect() as connection:
        done = [(one.who, one.what) for one in connection.execute(select(actions).order_by(actions.c.id))]
    assert done == [("ana", "pipe.add")] * 2 + [("bob", "pipe.change"), ("bob", "pipe.remove")]


def test_a_result_is_stored_once_and_an_interrupted_job_is_told(engine: Any) -> None:
    kept = Locations(engine)
    done, left = (kept.add("p", "person", "ana", ("event-1", None))["id"] for _ in range(2))
    kept.finish(done, FOUND, 5.0)
    kept.fail(done, "too late")
    assert kept.interrupt() == 1
    assert kept.interrupt() == 0
    first, second = kept.get(done), kept.get(left)
    assert first is not None
    assert second is not None
    assert (first["state"], first["result"]["position_m"], first["heard"], first["reason"]) == ("done", 30.0, 5.0, "")
    assert (second["state"], second["reason"], second["result"]) == ("failed", INTERRUPTED, {})
    assert kept.curves(done) == {"x": [1]}
    assert (kept.report(done), kept.report(left)) == ("<p>ü</p>".encode(), None)
    assert {row["id"] for row in kept.of_events(0)} == {done, left}
    assert kept.newest("p", "person") == second["asked"]
    assert kept.newest("p", "night") == 0


def test_results_are_kept_up_to_a_number_and_those_of_alerts_as_long_as_events(engine: Any) -> None:
    kept = Locations(engine)
    of_alert = kept.add("p", "alert", "leakear", (None, "event"))["id"]
    others = [kept.add("p", "night", "leakear", (None, None))["id"] for _ in range(KEPT + 3)]
    kept.sweep(time.time(), 1e6)
    assert {row["id"] for row in kept.of_pipe("p", 1000)} == {of_alert, *others[3:]}
    kept.sweep(time.time() + 2e6, 1e6)
    assert kept.of_pipe("p") == []


def result(position: float | None = None, refusal: str | None = None, *, at: float = 1e6, kind: str = "leak") -> Row:
    interval = None if position is None else [position - 1, position + 1]
    fields = {"position_m": position, "interval_95_m": interval, "refusal": refusal, "sources": [{"kind": kind}]}
    return {"state": "done", "asked": at, "result": fields}


@pytest.mark.parametrize(
    ("results", "change", "words"),
    [
        ([], None, ""),
        ([result(30.0)], RAISED, "in 1 of 1 recordings, 30.0 m from a."),
        ([result(30.0), result(30.5), result(refusal="coherence")], RAISED, "in 2 of 3 recordings"),
        ([result(30.0), result(60.0)], None, ""),
        ([result(refusal="clock"), result(refusal="short"), result(refusal="ambiguous")], None, ""),
        ([result(refusal="coherence"), result(refusal="clock")], LOWERED, "in 1 recordings"),
        ([result(refusal="end", kind="end_b")], LOWERED, "comes from b or beyond"),
        ([result(refusal="coherence"), result(30.0), result(30.0)], RAISED, "in 2 of 3"),
        ([result(refusal="coherence"), result(refusal="coherence"), result(30.0)], None, ""),
        ([result(refusal="coherence"), result(30.0, at=0.0)], LOWERED, "in 1 recordings"),
        ([{"state": "failed", "asked": 1e6, "result": {}}], None, ""),
    ],
)
def test_a_steady_sound_between_two_sensors_raises_the_certainty(
    results: list[Row], change: str | None, words: str
) -> None:
    found = certainty("a", "b", results)
    assert (found and found.change) == change
    assert found is None or words in found.sentence


def test_of_several_pipes_one_with_a_sound_is_enough() -> None:
    low, high = Certainty(LOWERED, ""), Certainty(RAISED, "")
    assert [together([low, high]), together([low]), together([])] == [high, low, None]


def test_the_quietest_slot_that_both_have_is_taken() -> None:
    def slots(levels: dict[float, float]) -> list[Recording]:
        return [
            Recording(
                id=uuid7(at), trigger="night", state="kept", start=utc_text(at), seconds=30.0, heard_s=30.0, rate=11025,
                start_s=at + 0.001, level_dbfs=level,
            )
            for at, level in levels.items()
        ]  # fmt: skip

    a, b = slots({100.0: -60, 200.0: -70, 300.0: -90, 9000.0: -99}), slots({100.0: -61, 200.0: -62, 9000.0: -99})
    found = common_slot(a, b, 0, 5000)
    assert found is not None
    assert [one.start for one in found] == [utc_text(200.0)] * 2
    assert common_slot(a, b, 300, 5000) is None


def test_after_a_night_its_recordings_are_correlated_once(mqtt: Any, sounds: Any, tmp_path: Path) -> None:
    async def night() -> list[Row]:
        engine = open_database(f"sqlite:///{tmp_path}/history.sqlite")
        broker = BrokerOptions(f"mqtt://127.0.0.1:{mqtt.port}", "night")
        service = Service(ServeOptions(clips_folder=tmp_path), broker, engine)
        work = asyncio.create_task(service.run())
        jobs, automatic = service.locating.jobs, service.locating._automatic
        pipe = jobs.pipes.add(Described(("site-a", "pit-1"), ("site-a", "pit-2"), 100.0, "steel"), "ana")
        now = time.time()
        for node in (one, other):
            nightly(node, now - 4000.0, -50)
            nightly(node, now - 3000.0, -70)
        await asyncio.to_thread(until, lambda: service.connection_status()["connected"], "connection")
        for node in (one, other):
            node.report()
        await asyncio.to_thread(until, lambda: len(service.fleet) == 2, "both nodes")
        await automatic.after_night(pipe, now - 1000)  # the night goes on
        assert jobs.of_pipe(pipe["id"]) is None
        for _ in range(2):
            await automatic.after_night(pipe, now)
        await asyncio.to_thread(until, lambda: jobs.locations.of_pipe(pipe["id"])[0]["state"] == "done", "result")
        await automatic.after_night(pipe, now)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        return jobs.locations.of_pipe(pipe["id"])

    with nodes(mqtt.port, sounds) as (one, other):
        (found,) = asyncio.run(night())
        assert found["cause"] == "night"
        assert found["result"]["position_m"] == pytest.approx(30.0, abs=1.5)
        assert found["heard"] == pytest.approx(time.time() - 3000, abs=100)
        assert not [request for name, request in one.commands if request.get("action") == "start"]


def test_a_recording_that_holds_more_than_its_header_says_is_not_read_to_its_end(tmp_path: Path) -> None:
    """8 MiB can hold two days of silence: 2.8 GiB, where the header says 30 s."""
    rate = 11025
    about = {"start_s": 1e9, "uncertainty_s": 0.001, "sample_clock": None}
    for name in ("A", "B"):
        soundfile.write(tmp_path / f"{name}.flac", np.zeros(90 * rate, np.float32), rate)
    content = bytearray((tmp_path / "A.flac").read_bytes())
    says = int.from_bytes(content[18:26], "big") >> 36 << 36 | 30 * rate
    content[18:26] = says.to_bytes(8, "big")
    assert media.measure(bytes(content)) == (rate, 30.0)
    (tmp_path / "A.flac").write_bytes(content)
    (tmp_path / "job.json").write_text(json.dumps(correlating.job(STEEL, about, about)))
    with pytest.raises(InputDataError, match="holds more than 61 s of sound"):
        correlating.correlated(tmp_path)


@pytest.mark.parametrize("loose", [{"uncertainty_s": 1e300}, {"ppm": 1e4}, {"ppm": 1e308}])
def test_a_clock_that_knows_nothing_is_refused(loose: dict[str, float]) -> None:
    clock = SampleClock(drift_ppm=0.0, drift_uncertainty_ppm=loose.get("ppm", 283.0), uncertainty_s=0.1)
    about = Recording(
        id=uuid7(), trigger="command", state="kept", start=utc_text(1e9), seconds=30.0, heard_s=30.0, rate=11025,
        start_s=1e9, uncertainty_s=loose.get("uncertainty_s", 9.0), sample_clock=clock, size=9, sha256="0" * 64,
    )  # fmt: skip
    with pytest.raises(NodeRefuses, match="does not know the time of its samples"):
        asyncio.run(NodeRecordings(None, ("s", "n")).fetch(about, lambda *_: None))  # type: ignore[arg-type]
