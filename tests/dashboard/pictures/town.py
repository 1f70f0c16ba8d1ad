"""A small Brazilian utility in the middle of its work: what every page of the dashboard has to show.

Written into the database as the dashboard itself writes it, before it starts; what only its pages can give (map, pipes,
a rollout) is given through them afterwards.
"""

import base64
import json
import struct
import time
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, insert, select

from leakear.dashboard.cases.store import Cases
from leakear.dashboard.fleet import Fleet
from leakear.dashboard.history import History, event_row
from leakear.dashboard.history.tables import events, open_database
from leakear.dashboard.map import geojson, table
from leakear.dashboard.map.projection import System
from leakear.dashboard.map.store import Places
from leakear.dashboard.pipes.correlating import correlated, job
from leakear.dashboard.pipes.description import Described
from leakear.dashboard.pipes.store import Pipes
from leakear.dashboard.pipes.tables import locations
from leakear.dashboard.quiet.calendar import by_hand
from leakear.dashboard.quiet.holding import Holding
from leakear.dashboard.quiet.store import QuietTimes
from leakear.edge.messages.nights import Night
from leakear.edge.messages.recordings import Recording
from leakear.edge.messages.reports import Event, Learning, utc_text, uuid7
from leakear.train.simulator.pairs import render
from tests.dashboard.screenshots import SITES, STAR, Actor, happened, seed
from tests.support.pairs import case
from tests.support.recording_node import RecordingNode, flac

DAY = 86400.0
NIGHT_ENDS = 7
"""hour of UTC at which 04:00 has come in São Paulo: a later hour of today's date has its night behind it"""
NEIGHBOUR = (STAR[0], "meter-04")
"""hears the same pipe as the leaking node"""
REPAIRED = ("vila-nova", "meter-06")
VISITED = ("jardim-botanico", "meter-07")
FALSE = ("porto", "meter-06")
DEAF, DRIFTS, SILENT, WARNS = (
    ("vila-nova", "meter-02"),
    ("centro", "meter-06"),
    ("reservatorio-norte", "meter-04"),
    ("centro", "meter-05"),
)
LEARNS, MUTED, QUIET, QUEUES = (
    ("vila-nova", "meter-08"),
    ("centro", "meter-02"),
    ("jardim-botanico", "meter-03"),
    ("porto", "meter-01"),
)
"""nodes and what is the matter with them"""
ROLES: dict[tuple[str, str], dict[str, Any]] = {
    STAR: {"state": "LEAK", "limit_db": 4.5, "threshold_from": "remote"},
    WARNS: {"state": "WARNING", "limit_db": 5.0},
    DEAF: {"state": "SENSOR_FAULT", "faults": ("no_frames", "restarts_often")},
    ("jardim-botanico", "meter-01"): {"state": "NOISY"},
    DRIFTS: {"faults": ("floor_drift", "clock_jumped"), "clock_synced": False},
    QUEUES: {"faults": ("outbox_disk",), "queue_depth": 41},
    MUTED: {"muted_until": 6 * 3600.0},
    LEARNS: {"learning": "warning"},
}  # fmt: skip
"""what each node's state message says beside the usual"""
COORDINATES = {
    "centro": (-23.5505, -46.6333), "jardim-botanico": (-23.5452, -46.6270), "porto": (-23.5562, -46.6262),
    "reservatorio-norte": (-23.5420, -46.6368), "vila-nova": (-23.5585, -46.6365),
}  # fmt: skip
STEP = 0.0011
"""degrees between two corners of streets"""


def everybody() -> list[Actor]:
    return [Actor(site, f"meter-{n + 1:02}") for site, count in SITES.items() for n in range(count)]


def build(database: str, folder: Path, now: float) -> dict[str, str]:
    """Fill the database; return the addresses of its pages that have a name of their own."""
    actors = everybody()
    seed(database, actors, now)
    engine = open_database(database)
    history, cases, quiet = History(engine), Cases(engine), QuietTimes(engine)
    holding = Holding(engine, quiet, lambda _: 0.0)
    history.also, history.hold, history.marks = cases.on_event, holding.hold, holding.marks
    known = {(actor.site, actor.name): actor for actor in actors}
    silent = Fleet()
    gone = silent.node(SILENT)
    assert gone is not None
    gone.last_seen = now - 2700
    history.save_nodes(silent, now)
    season(history, known, now)
    alarms(history, known, now)
    work(cases, now)
    quiet.add(
        "jardim-botanico",
        "",
        "irrigation",
        [by_hand("Irrigação do parque", now - 1800, now + 5400, "America/Sao_Paulo", "daily")],
        who="ana",
    )
    quiet.add(
        "porto",
        "meter-02",
        "construction",
        [by_hand("Obra na Rua do Cais", now + DAY, now + DAY + 14400, "America/Sao_Paulo", "")],
        who="bruno",
    )
    history.record(
        [
            event_row(
                happened(known[QUIET], now - 900, "WARNING", "LEAK", 21, "went on for 15 min after WARNING"), now - 880
            )
        ]
    )
    pipe = pipes(engine, history, folder, now)
    streets(engine)
    told(history)
    pages = {f"case-{one['status']}": f"/cases/{one['id']}" for one in cases.page("all")}
    engine.dispose()
    return pages | {"pipe": f"/pipes/{pipe}"}


def season(history: History, known: dict[tuple[str, str], Actor], now: float) -> None:
    """Nights of some weeks: one node rises for a week, one has risen and was repaired, others stay as they are."""
    dice = np.random.default_rng(4)
    rises = {STAR: (83, 99), REPAIRED: (60, 69), VISITED: (78, 99)}
    today = datetime.fromtimestamp(now - NIGHT_ENDS * 3600, UTC).date()
    for key in (STAR, REPAIRED, VISITED, NEIGHBOUR, WARNS):
        first, last = rises.get(key, (99, 99))
        rows = []
        for number in range(90):
            day = today - timedelta(days=89 - number)
            loud = 7.0 if first <= number <= last else 0.0
            level = known[key].base + loud + dice.normal(0, 0.8)
            ended = datetime(day.year, day.month, day.day, NIGHT_ENDS, tzinfo=UTC).timestamp()
            night = Night(
                date=day.isoformat(), hours="02:00-04:00", judged=0.97, level_dbfs=round(level, 1),
                spread_db=round(2.0 - 0.1 * loud, 1), steadiness=0.8 if loud else 0.4, hz=630.0 if loud else 160.0,
                histogram_from_dbfs=round(level), histogram=(60, 420, 190, 40, 10),
            )  # fmt: skip
            made = happened(known[key], ended, "OK", "OK", 0, "night")
            rows.append(event_row(replace(made, kind="night", night=night, evidence=False, seq=100 + number), ended))
        history.record(rows)


def alarms(history: History, known: dict[tuple[str, str], Actor], now: float) -> None:
    """What nodes reported in the last weeks."""
    flow, sure = "on 92% of the last 30 min", "went on for 15 min after WARNING"
    loud = "went on for 15 min after WARNING, 8.2 dB over the background around 630 Hz (limit of this node 4.5 dB)"
    deaf = happened(known[DEAF], now - 4 * 3600, "OK", "SENSOR_FAULT", 5, "began: no_frames")
    told: list[tuple[Event, float]] = [
        (happened(known[REPAIRED], now - 27 * DAY, "WARNING", "LEAK", 31, loud), 30),
        (happened(known[VISITED], now - 9 * DAY, "WARNING", "LEAK", 12, loud), 30),
        (happened(known[FALSE], now - 6 * DAY, "WARNING", "LEAK", 7, sure), 30),
        (happened(known[FALSE], now - 6 * DAY + 5000, "LEAK", "OK", 8, "quiet for 10 min"), 30),
        (happened(known[NEIGHBOUR], now - 1900, "OK", "WARNING", 9, flow), 10),
        (happened(known[WARNS], now - 1500, "OK", "WARNING", 17, flow), 10),
        (replace(deaf, score=None, level_dbfs=None), 10),
        (happened(known[STAR], now - 1400, "LEAK", "LEAK", 17, loud), 5),
    ]  # fmt: skip
    for event, late in told:
        history.record([event_row(event, float(event_row(event, now)["happened"]) + late)])


def work(cases: Cases, now: float) -> None:
    """How far the cases are: one repaired and confirmed by nights, one visited, one false, one assigned, one open."""
    by_node = {(one["site"], one["node"]): one for one in cases.page("all")}
    wet = {"note": "Junta aberta a 40 cm de fundo, chão molhado.", "latitude": -23.5587,
           "longitude": -46.6361, "photo": base64.b64encode(photo()).decode()}  # fmt: skip
    steps: dict[tuple[str, str], list[tuple[str, str, dict[str, Any]]]] = {
        REPAIRED: [
            ("ana", "assign", {"assigned_to": "equipe 2"}),
            ("bruno", "visit", {"outcome": "found", "at": now - 23 * DAY, **wet}),
            ("bruno", "repair", {"at": now - 21 * DAY, "flow_low": 0.4, "flow_high": 0.9, "note": "Junta trocada."}),
        ],
        VISITED: [
            ("ana", "assign", {"assigned_to": "equipe 1"}),
            ("carla", "describe", {"pipe": "Rua das Flores, DN100 ferro", "position": "31,4 m de meter-07"}),
            ("carla", "visit", {"outcome": "found", "at": now - 2 * DAY, "note": "Ruído na tampa; escavar quinta."}),
        ],
        FALSE: [("carla", "visit", {"outcome": "pressure-valve", "at": now - 5 * DAY, "note": "Redutora da esquina."})],
        STAR: [("ana", "assign", {"assigned_to": "equipe 1"})],
    }  # fmt: skip
    for key, taken in steps.items():
        one = by_node.get(key) or cases.open(key, "ana", uuid7())
        for who, what, given in taken:
            changed = cases.change(one["id"], who, uuid7(), version=one["version"], what=what, given=given)
            assert changed is not None
            one = changed
    cases.open(WARNS, "ana", uuid7(), note="Morador diz que ouve água à noite.")
    cases.check_repairs()


def photo() -> bytes:
    """A PNG of wet asphalt, or what looks like it."""
    height, width = 180, 240
    y, x = np.mgrid[0:height, 0:width]
    wet = np.exp(-(((x - 130) / 60) ** 2 + ((y - 100) / 40) ** 2))
    noise = np.random.default_rng(1).normal(0, 9, (height, width))
    grey = np.clip(118 + noise - 50 * wet, 0, 255)
    rgb = np.stack([grey, grey, np.clip(grey + 22 * wet, 0, 255)], axis=-1).astype(np.uint8)
    lines = b"".join(b"\0" + row.tobytes() for row in rgb)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def pipes(engine: Engine, history: History, folder: Path, now: float) -> str:
    """Two pipes: one located on in four nights, one that failed. Return the first."""
    store = Pipes(engine, history)
    made = case(3, position=31.4)
    low, high = made.speed_range
    first = Described(
        STAR, NEIGHBOUR, 100.0, "steel", diameter=114.3, wall=4.5, speed_low=round(low), speed_high=round(high)
    )
    pipe = store.add(first, "ana")
    answer = located(first, made, folder, now)
    with engine.connect() as connection:
        leak = select(events.c.id).where(
            events.c.site == STAR[0], events.c.node == STAR[1], events.c.to_state == "LEAK"
        )
        event = connection.scalar(leak.order_by(events.c.happened).limit(1))
    rows = []
    for number, cause in enumerate(("alert", "night", "night", "person")):
        shift = (0.0, 0.4, -0.3, 0.2)[number]
        fields = dict(answer["fields"])
        for name in ("interval_95_m", "interval_50_m"):
            fields[name] = [value + shift for value in fields[name]]
        fields["position_m"] += shift
        told = json.dumps(fields), json.dumps(answer["curves"])
        rows.append(location(pipe["id"], cause, now - 1300 - number * DAY, *told, None if number else event))
    other = store.add(Described(VISITED, ("jardim-botanico", "meter-08"), 64.0, "pvc", automatic=False), "bruno")
    failed = location(other["id"], "person", now - 3 * 3600, "{}", "{}") | {
        "state": "failed",
        "reason": "This site does not let sound leave it: set commands.allow_clip = true on the node.",
        "reason_node": "jardim-botanico/meter-08",
    }  # fmt: skip
    store.add(Described(("centro", "meter-01"), ("centro", "meter-03"), 120.0, "iron"), "bruno")
    with engine.begin() as connection:
        connection.execute(insert(locations), [*rows, failed])
    return str(pipe["id"])


def location(pipe: str, cause: str, at: float, result: str, curves: str, event: str | None = None) -> dict[str, Any]:
    return {
        "id": uuid7(at), "pipe": pipe, "event_a": event, "event_b": None, "cause": cause, "asked": at,
        "asked_by": "ana" if cause == "person" else "", "state": "done", "heard": at + 5, "ended": at + 40,
        "reason": "", "reason_node": "", "result": result, "curves": curves, "report": None,
    }  # fmt: skip


def located(described: Described, made: Any, folder: Path, now: float) -> dict[str, Any]:
    """What the dashboard's own correlator says of a simulated pair."""
    about = []
    for name, sound in zip("AB", render(made), strict=True):
        content = flac(sound, made.rate)
        (folder / f"{name}.flac").write_bytes(content)
        about.append(kept(content, made.rate, now))
    (folder / "job.json").write_text(json.dumps(job(described, *about)))
    return correlated(folder)


def kept(content: bytes, rate: int, now: float) -> dict[str, Any]:
    """A recording as a node describes it."""
    node = RecordingNode.__new__(RecordingNode)
    node.recordings, node.late_s, node.sound = {}, 0.0, content
    begun = Recording(
        id=uuid7(), trigger="command", state="recording", start=utc_text(now - 1295), seconds=8, heard_s=1.0, rate=rate,
    )  # fmt: skip
    made: dict[str, Any] = node.kept(begun).to_dict()
    return made


def streets(engine: Engine) -> None:
    """A grid of streets at every site, with its nodes at the corners."""
    lines: list[tuple[str, list[tuple[float, float]], str]] = []
    places: list[tuple[str, str, float, float]] = []
    materials = ("ferro fundido", "PVC", "PEAD", "aço")
    for number, (site, count) in enumerate(SITES.items()):
        south, west = COORDINATES[site]
        corner = [(west + (n % 3) * STEP, south + (n // 3) * STEP) for n in range(12)]
        joined = [(n, n + 1) for n in range(12) if n % 3 < 2] + [(n, n + 3) for n in range(9)]
        lines += [(f"{site}-{n}-{m}", [corner[n], corner[m]], materials[(n + number) % 4]) for n, m in joined]
        places += [(site, f"meter-{n + 1:02}", *corner[n]) for n in range(count)]
    features: list[dict[str, Any]] = [
        {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [list(point) for point in line]},
         "properties": {"id": name, "material": material, "diameter": 100}}
        for name, line, material in lines
    ]  # fmt: skip
    store = Places(engine)
    network = geojson.read(json.dumps({"type": "FeatureCollection", "features": features}), System())
    store.lay(network.pipes, "rede.geojson", "ana", replace=False)
    lines_of_nodes = "".join(f"{site},{name},{y:.6f},{x:.6f}\n" for site, name, x, y in places)
    store.place(table.read(f"site,node,latitude,longitude\n{lines_of_nodes}", System()).placed, "csv", "ana")


def told(history: History) -> None:
    """Some of what people did."""
    for who, what, target, detail in (
        ("ana", "set", "porto/meter-03", '{"threshold": 0.62}'), ("bruno", "notify-test", "1", ""),
        ("ana", "deploy", "centro/meter-01, centro/meter-02", ""), ("carla", "selftest", "vila-nova/meter-02", ""),
    ):  # fmt: skip
        history.record_action(who, what, target, detail)


def changes(roles: dict[str, Any]) -> dict[str, Any]:
    """The changes of a state message as the message class wants them."""
    made = dict(roles)
    if "muted_until" in made:
        made["muted_until"] = utc_text(time.time() + made["muted_until"])
    if "learning" in made:
        made["learning"] = Learning(background_ready=False, nights_known=2, may_say=made["learning"])
    return made
