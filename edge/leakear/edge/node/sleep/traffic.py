"""What a node sends in a day without alerts, in bytes of MQTT packets; TCP, TLS and pings come on top."""

from leakear.edge.messages.reports import Availability, Event, Identity, Learning, ModelRef, State, Telemetry, utc_text
from leakear.edge.mqtt.refusals import packet_size
from leakear.edge.node.reporter import STATE_EVERY_S
from leakear.edge.schedule import Schedule
from leakear.edge.settings import NodeOptions

_NODE, _NOW = Identity("hillside", "pit-7"), utc_text(1.8e9)
_MODEL = ModelRef(id="leakear-factory-2026-11-22", sha256="5f" * 32)
_LEARNT = Learning(background_ready=True, nights_known=12, may_say="all")


def bytes_a_day(schedule: Schedule, telemetry_s: float = NodeOptions().telemetry_s) -> int:
    """Return the bytes that a node with these listening hours publishes in a day in which nothing happens."""
    messages = {"state": schedule.awake_s / STATE_EVERY_S, "telemetry": schedule.awake_s / telemetry_s, "event": 1}
    sizes = {"state": _state().to_json(), "telemetry": _telemetry().to_json(), "event": _night().to_json()}
    signs = 2 * len(schedule.spans) * _size("availability", Availability.ASLEEP.to_json())
    return round(sum(count * _size(name, sizes[name]) for name, count in messages.items()) + signs)


def _size(suffix: str, payload: bytes) -> int:
    return packet_size.of_publish(_NODE.topic(suffix), payload)


def _state() -> State:
    return State(
        site=_NODE.site, node=_NODE.node, state="OK", since=_NOW, score=0.0123, level_dbfs=-48.21,
        noise_floor_dbfs=-51.93, faults=(), threshold=0.5, threshold_from="model", limit_db=2.41, learning=_LEARNT,
        muted_until=None, model=_MODEL, firmware="0.2.0", window_end=_NOW, window_s=10.0, step_s=10.0,
        clock_synced=True, seq=41, queue_depth=0,
    )  # fmt: skip


def _telemetry() -> Telemetry:
    return Telemetry(
        time=_NOW, uptime_s=86400.0, level_dbfs=-48.21, noise_floor_dbfs=-51.93, noise_floor_drift_db=0.12,
        score=0.0123, windows_produced=8640, windows_scored=8640, windows_discarded=0, windows_dropped=0, overruns=0,
        reconnects=1, real_time_factor=0.0213, queue_depth=0, queue_bytes=40960, temperature_c=41.2,
        disk_free_bytes=12_000_000_000, rss_bytes=95_000_000, certificate_expires=None, clock_synced=True,
        limit_db=2.41, learning=_LEARNT,
    )  # fmt: skip


def _night() -> Event:
    return Event(
        id="019ab2c4-5d6e-7f80-9a1b-2c3d4e5f6071", seq=41, site=_NODE.site, node=_NODE.node, kind="night",
        from_state="OK", to_state="OK", reason="night of 2026-11-22: level -51.9 dBFS, 100% judged",
        window_start=_NOW, window_end=_NOW, model=_MODEL,
    )  # fmt: skip
