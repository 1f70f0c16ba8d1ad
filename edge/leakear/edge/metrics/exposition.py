"""The figures as text, Prometheus exposition format 0.0.4. Pure: from the messages that the node publishes anyway."""

from collections.abc import Iterator, Mapping

from leakear.edge.messages.reports import STATES, State, Telemetry, parse_utc

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "leakear_edge_"
Labels = Mapping[str, str]
Sample = tuple[str, str, str, Labels, float | None]
"""name without PREFIX, type, meaning, labels, value; None: not known, left out"""


def exposition(state: State, telemetry: Telemetry, *, connected: bool) -> bytes:
    """Return the text of /metrics. `connected`: whether a broker is connected."""
    who = {"site": state.site, "node": state.node}
    lines, described = [], set()
    for name, kind, text, labels, value in _samples(state, telemetry, connected):
        if value is None:
            continue
        full = PREFIX + name
        if name not in described:
            described.add(name)
            lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}"]
        given = ",".join(f'{key}="{_escaped(word)}"' for key, word in {**who, **labels}.items())
        lines.append(f"{full}{{{given}}} {float(value)!r}")
    return ("\n".join(lines) + "\n").encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _samples(state: State, telemetry: Telemetry, connected: bool) -> Iterator[Sample]:
    version = {"version": state.firmware, "model": state.model.id, "model_sha256": state.model.sha256}
    yield "info", "gauge", "version of the daemon and its model", version, 1.0
    for name in STATES:
        yield "state", "gauge", "1 for the state that holds", {"state": name}, float(state.state == name)
    for name in state.faults:
        yield "fault", "gauge", "1 for each fault that holds now", {"fault": name}, 1.0
    yield "faults", "gauge", "faults that hold now", {}, len(state.faults)
    for name, text, count in _counters(telemetry):
        yield name, "counter", text, {}, count
    for name, text, value in (*_heard(state, telemetry), *_machine(state, telemetry, connected)):
        yield name, "gauge", text, {}, value


def _counters(telemetry: Telemetry) -> Iterator[tuple[str, str, float]]:
    for name, count, text in (
        ("produced", telemetry.windows_produced, "windows cut from the stream"),
        ("scored", telemetry.windows_scored, "windows that the model judged"),
        ("discarded", telemetry.windows_discarded, "windows spoiled by a gap or a fault"),
        ("dropped", telemetry.windows_dropped, "windows skipped because the node was late"),
    ):
        yield f"windows_{name}_total", text, count
    yield "overruns_total", "times the sound device lost samples", telemetry.overruns
    yield "reconnects_total", "times the broker was reached again", telemetry.reconnects


def _heard(state: State, telemetry: Telemetry) -> Iterator[tuple[str, str, float | None]]:
    yield "score", "P(leak) of the last window", telemetry.score
    yield "level_dbfs", "RMS level of the last window, dB re full scale", telemetry.level_dbfs
    yield "noise_floor_dbfs", "level of the quietest moments, dB re full scale", telemetry.noise_floor_dbfs
    yield "noise_floor_drift_db", "noise floor against its long mean, dB", telemetry.noise_floor_drift_db
    yield "limit_db", "excess over the background from which a sound counts, dB", telemetry.limit_db
    yield "nights_known", "nights that were judged", state.learning.nights_known if state.learning else None
    yield "last_window_timestamp_seconds", "end of the last window, POSIX", _posix(state.window_end)
    yield "state_since_timestamp_seconds", "since when the state holds, POSIX", _posix(state.since)


def _machine(state: State, telemetry: Telemetry, connected: bool) -> Iterator[tuple[str, str, float | None]]:
    yield "broker_connected", "1 while a broker is connected", float(connected)
    yield "queue_events", "events that no broker has acknowledged", telemetry.queue_depth
    yield "queue_bytes", "bytes of the outbox", telemetry.queue_bytes
    yield "clock_synced", "1 while the clock is synchronised", float(telemetry.clock_synced)
    yield (
        "clock_bound_seconds",
        "largest error of the clock (95 %)",
        telemetry.clock.bound_s if telemetry.clock else None,
    )
    yield "real_time_factor", "seconds of work per second of sound", telemetry.real_time_factor
    yield "temperature_celsius", "of the processor", telemetry.temperature_c
    yield "disk_free_bytes", "room left for evidence and the outbox", telemetry.disk_free_bytes
    yield "resident_memory_bytes", "of the daemon", telemetry.rss_bytes
    yield "uptime_seconds", "since the daemon started", telemetry.uptime_s
    yield "asleep", "1 between the listening hours", float(state.asleep_until is not None)
    yield (
        "certificate_expiry_timestamp_seconds",
        "of the first TLS certificate in use to expire, POSIX",
        _posix(telemetry.certificate_expires),
    )
    yield "snapshot_timestamp_seconds", "when these figures were taken, POSIX", _posix(telemetry.time)


def _posix(text: str | None) -> float | None:
    return None if text is None else parse_utc(text)
