"""Write the MQTT contract from the code: `docs/asyncapi.yaml` (AsyncAPI 3) and `docs/schemas/*.json`.

    python docs/contract.py            # writes them
    python docs/contract.py --check    # exit 1 when they are not what the code says
    python docs/contract.py --check --asyncapi 3.0.0.json   # and follow AsyncAPI's own schema (make check-contract)

The message classes are the one source; a test runs the check.
"""

import argparse
import json
import sys
import types
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import jsonschema
import yaml

from leakear.edge.fields import MAX_INTEGER, Rule, declared
from leakear.edge.messages import requests as rq
from leakear.edge.messages import results as rs
from leakear.edge.messages.identifiers import NAME
from leakear.edge.messages.nights import Night
from leakear.edge.messages.recordings import Recording, RecordResult
from leakear.edge.messages.reports import (
    Availability,
    CommandResult,
    DecidedOn,
    Event,
    Learning,
    Message,
    ModelRef,
    Spectrum,
    State,
    Telemetry,
)
from leakear.edge.messages.timing import ClockBound, SampleClock

FOLDER = Path(__file__).resolve().parent
PRINTABLE = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
MODEL = ModelRef(id="leakear-factory-1", sha256="5f" * 32)
MOMENT, START, END = "2026-11-22T14:43:23.120Z", "2026-11-22T14:43:13.000Z", "2026-11-22T14:43:23.000Z"
EVENT_ID = "019ab2c4-5d6e-7f80-9a1b-2c3d4e5f6071"

RECORDING_ID = "019ab2c4-5d6e-7f80-9a1b-2c3d4e5f6073"
CHRONY = ClockBound(source="chrony", bound_s=0.0008)
SAMPLES = SampleClock(drift_ppm=-23.4, drift_uncertainty_ppm=1.2, uncertainty_s=0.0004)
LEARNT = Learning(background_ready=True, nights_known=12, may_say="all")

EXAMPLES: dict[str, list[Message]] = {
    "state": [
        State(
            site="hillside", node="pit-7", state="LEAK", since="2026-11-22T14:13:23.000Z", score=0.97,
            level_dbfs=-48.2, noise_floor_dbfs=-51.9, faults=(), threshold=0.5, muted_until=None, model=MODEL,
            threshold_from="model", limit_db=2.4, learning=LEARNT,
            firmware="0.1.0", window_end=END, window_s=10.0, step_s=10.0, clock_synced=True, clock=CHRONY,
            sample_clock=SAMPLES, seq=41, queue_depth=0,
        ),
        State(
            site="hillside", node="pit-7", state="SENSOR_FAULT", since=START, score=None, level_dbfs=None,
            noise_floor_dbfs=None, faults=("no-audio",), threshold=0.5, muted_until=MOMENT, model=MODEL,
            staged_model=ModelRef(id="leakear-factory-2", sha256="a0" * 32), firmware="0.1.0", window_end=None,
            window_s=10.0, step_s=10.0, clock_synced=False, clock=ClockBound(source="none"), seq=0, queue_depth=3,
        ),
    ],
    "event": [
        Event(
            id=EVENT_ID, seq=41, site="hillside", node="pit-7", kind="state", from_state="WARNING", to_state="LEAK",
            reason="went on for 15 min after WARNING, 6.2 dB over the background around 630 Hz",
            window_start=START, window_end=END,
            clock_synced=True, score=0.97, on_fraction=0.97, level_dbfs=-48.2, model=MODEL, evidence=True,
            decided_on=DecidedOn(
                by="hours", on_share=0.97, excess_db=6.2, hz=630.0, limit_db=2.4, nights_known=12, nights_risen=0
            ),
        ),
        Event(
            id="019ab2c4-5d6e-7f80-8a1b-2c3d4e5f6072", seq=42, site="hillside", node="pit-7", kind="dropped",
            from_state="LEAK", to_state="LEAK", reason="The outbox was full.", window_start=START, window_end=END,
            model=MODEL, dropped=12,
        ),
        Event(
            id="019ab2c4-5d6e-7f80-8a1b-2c3d4e5f6073", seq=43, site="hillside", node="pit-7", kind="night",
            from_state="LEAK", to_state="LEAK", reason="night of 2026-11-23: level -55.3 dBFS, 98% judged",
            window_start="2026-11-23T05:00:01.000Z", window_end="2026-11-23T06:59:51.000Z", clock_synced=True,
            model=MODEL,
            night=Night(
                date="2026-11-23", hours="02:00-04:00", judged=0.981, level_dbfs=-55.3, spread_db=1.8, steadiness=0.93,
                hz=630.0, histogram_from_dbfs=-56, histogram=(41, 622, 44), excess_db=6.1, limit_db=2.4,
            ),
        ),
    ],
    "telemetry": [
        Telemetry(
            time=MOMENT, uptime_s=86400.0, level_dbfs=-48.2, noise_floor_dbfs=-51.9, noise_floor_drift_db=0.4,
            score=0.03, windows_produced=8640, windows_scored=8638, windows_discarded=2, windows_dropped=0,
            overruns=1, reconnects=2, real_time_factor=0.01, queue_depth=0, queue_bytes=4096, temperature_c=41.5,
            disk_free_bytes=9_000_000_000, rss_bytes=96_000_000, certificate_expires="2027-11-22T00:00:00.000Z",
            clock_synced=True, clock=CHRONY, sample_clock=SAMPLES, limit_db=2.4, learning=LEARNT,
        ),
    ],
    "spectrum": [Spectrum(time=END, low_hz=0.0, high_hz=11025.0, db=tuple(-60.0 - 0.5 * i for i in range(64)))],
    "command-result": [
        CommandResult(id="ask-1", ok=True, result={"threshold": 0.6, "step_s": 10.0, "muted_until": None}),
        CommandResult(id="ask-2", ok=False, error="SetRequest.threshold is 7; allowed is 0.01 to 0.99.", result={}),
    ],
    "cmd-identify": [rq.Request(id="ask-1")],
    "cmd-status": [rq.Request(id="ask-1")],
    "cmd-selftest": [rq.Request(id="ask-1")],
    "cmd-set": [rq.SetRequest(id="ask-1", threshold=0.6), rq.SetRequest(id="ask-3", as_configured=True),
                rq.SetRequest(id="ask-2", mute_until=MOMENT)],
    "cmd-clip": [rq.ClipRequest(id="ask-1", event_id=EVENT_ID),
                 rq.ClipRequest(id="ask-2", event_id=RECORDING_ID, wanted=(4, 17))],
    "cmd-calibrate": [rq.CalibrateRequest(id="ask-1", action="start", hours=8.0),
                      rq.CalibrateRequest(id="ask-2", action="not_a_leak")],
    "cmd-model": [
        rq.ModelRequest(id="ask-1", sha256="c4" * 32, size=5, part=0, data="aGVsbG8="),
        rq.ModelRequest(id="ask-2", action="install"),
    ],
    "cmd-watch": [rq.WatchRequest(id="ask-1", seconds=60.0)],
    "cmd-resend": [rq.ResendRequest(id="ask-1", from_seq=38, to_seq=40)],
    "cmd-record": [rq.RecordRequest(id="ask-1", recording=RECORDING_ID, start=START, seconds=30.0),
                   rq.RecordRequest(id="ask-2", action="status", recording=RECORDING_ID),
                   rq.RecordRequest(id="ask-3", action="list")],
    "result-record": [
        RecordResult(recordings=(
            Recording(
                id=RECORDING_ID, trigger="command", state="kept", start=START, seconds=30.0, heard_s=30.0, rate=22050,
                start_s=1795358593.000012, uncertainty_s=0.0009, clock=CHRONY, sample_clock=SAMPLES, gain_db=24.08,
                level_dbfs=-71.3, device="USB Audio: - (hw:Device,0)", device_rate=48000, size=901234, parts=19,
                sha256="7d" * 32,
            ),
        )),
        RecordResult(recordings=(
            Recording(id=RECORDING_ID, trigger="command", state="failed", start=START, seconds=30.0, heard_s=12.5,
                      rate=22050, reason="Sound was lost in the middle of the recording: record again."),
        )),
    ],
    "result-resend": [rs.ResendResult(events=3, next_seq=None), rs.ResendResult(events=200, next_seq=238)],
    "result-watch": [rs.WatchResult(seconds=60.0)],
    "result-set": [rs.SetResult(threshold=0.6, step_s=10.0, muted_until=None)],
    "result-model": [rs.ModelResult(stage="receiving", next_part=1, parts=3)],
    "result-clip": [rs.ClipPart(event_id=EVENT_ID, part=0, parts=1, media_type="audio/flac", data="ZkxhQw==", size=4,
                                sha256="c2" * 32)],
    "result-selftest": [
        rs.SelftestResult(passed=False, checks=(rs.Check(name="clock", ok=False, detail="not synchronised"),)),
    ],
    "result-calibrate": [
        rs.CalibrateResult(
            phase="learning", heard_s=600.0, remaining_s=28200.0, threshold=None, level_gate_dbfs=None,
            reason="Learning for 8 hours: keep the site quiet.",
        ),
    ],
    "result-identify": [
        rs.IdentifyResult(
            site="hillside", node="pit-7", firmware="0.1.0", model=MODEL, python="3.13.5", machine="aarch64",
            window_s=10.0, step_s=10.0, sample_rate=22050, commands=tuple(rq.REQUESTS),
        ),
    ],
}  # fmt: skip
EXAMPLES["result-status"] = [
    rs.StatusResult(
        state=EXAMPLES["state"][0],  # type: ignore[arg-type]
        telemetry=EXAMPLES["telemetry"][0],  # type: ignore[arg-type]
        commands_done=3, commands_refused=1, model_on_trial=False,
    ),
]  # fmt: skip
REPORTS = {
    "availability": "retained, QoS 1; the last will says offline",
    "state": "retained, QoS 1",
    "event": "QoS 1 from the outbox, never retained",
    "telemetry": "QoS 0",
    "spectrum": "QoS 0, only while watched",
}


def schema_of(cls: type[Message]) -> dict[str, Any]:
    """JSON Schema of one message class."""
    head = {} if cls.SCHEMA is None else {"schema": {"const": cls.SCHEMA, "description": "version of this message"}}
    table = declared(cls)
    always = cls.SCHEMA is not None or not cls.CLOSED  # what we send carries every key; a request may leave some out
    return {
        "type": "object",
        "properties": head | {s.key: {"description": s.rule.doc} | _kind(s.kind, s.rule) for s in table},
        "required": [*head, *(s.key for s in table if s.required or always)],
        "additionalProperties": False,
    }


def _kind(kind: Any, rule: Rule) -> dict[str, Any]:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_kind(get_args(kind)[0], rule), {"type": "null"}]}
    if origin is tuple:
        low, high = rule.items
        return {"type": "array", "items": _kind(get_args(kind)[0], rule), "minItems": low, "maxItems": high}
    if kind is str:
        return {"type": "string", "maxLength": rule.max_length} | _text_limits(rule)
    if kind in (int, float):
        ends = {"minimum": rule.minimum, "maximum": rule.maximum if kind is float else rule.maximum or MAX_INTEGER}
        return {"type": "integer" if kind is int else "number"} | {k: v for k, v in ends.items() if v is not None}
    if isinstance(kind, type) and issubclass(kind, Message):
        return schema_of(kind)
    return {"type": "boolean"} if kind is bool else {"type": "object"}


def _text_limits(rule: Rule) -> dict[str, Any]:
    limits: dict[str, Any] = {"pattern": f"^(?:{rule.pattern})$" if rule.pattern else PRINTABLE}
    return limits if rule.choices is None else {"enum": list(rule.choices)}


def schema_files() -> dict[str, dict[str, Any]]:
    """File name → schema with its examples."""
    word: dict[str, Any] = {
        "type": "string",
        "enum": [str(w) for w in Availability],
        "examples": [str(w) for w in Availability],
    }
    head: dict[str, Any] = {"$schema": DIALECT}
    about = "the bare word, not JSON text: retained, QoS 1; the last will says offline"
    files = {"availability.json": head | {"title": "availability", "description": about} | word}
    for name, examples in EXAMPLES.items():
        cls = type(examples[0])
        text = " ".join((cls.__doc__ or "").split())
        body = schema_of(cls) | {"examples": [example.to_dict() for example in examples]}
        files[f"{name}.json"] = head | {"title": name, "description": text} | body
    return files


def asyncapi() -> dict[str, Any]:
    """Build the AsyncAPI 3 document; its payloads are the schema files."""
    channels = {name: _channel(name, how, name) for name, how in REPORTS.items()}
    operations = {f"send-{name}": _operation("send", name, how) for name, how in REPORTS.items()}
    for name in rq.REQUESTS:
        asked, answered = f"QoS 1, never retained; asks `{name}`", f"QoS 1; the answer to `{name}`"
        channels[f"cmd-{name}"] = _channel(f"cmd/{name}", asked, f"cmd-{name}")
        channels[f"cmd-{name}-result"] = _channel(f"cmd/{name}/result", answered, f"result-{name}")
        operations[f"receive-cmd-{name}"] = _operation("receive", f"cmd-{name}", asked)
        operations[f"send-cmd-{name}-result"] = _operation("send", f"cmd-{name}-result", answered)
    messages = {"availability": _message("availability", "text/plain")}
    messages |= {name: _message(name, "application/json") for name in EXAMPLES if not name.startswith("result-")}
    for name in rq.REQUESTS:
        messages[f"result-{name}"] = _answer(name)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "leakear node",
            "version": "1.0.0",
            "description": "What a leakear node sends over MQTT and what it may be asked. `schema` is the version of a"
            " message: readers ignore keys they do not know and refuse other numbers. Commands are closed:"
            " an unknown key is refused. Written by docs/contract.py from the code.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _message(name: str, content_type: str) -> dict[str, Any]:
    return {"name": name, "contentType": content_type, "payload": {"$ref": f"./schemas/{name}.json"}}


def _answer(name: str) -> dict[str, Any]:
    """Build the answer to one command: the common form, with its own `result` when it was done."""
    done = {"properties": {"ok": {"const": True}, "result": {"$ref": f"./schemas/result-{name}.json"}}}
    refused = {"properties": {"ok": {"const": False}, "result": {"const": {}}}}
    payload = {"allOf": [{"$ref": "./schemas/command-result.json"}, {"anyOf": [done, refused]}]}
    return {"name": f"result-{name}", "contentType": "application/json", "payload": payload}


def _channel(address: str, how: str, message: str) -> dict[str, Any]:
    parameters = {
        "site": {"description": f"installation, {NAME}"},
        "node": {"description": f"node within the site, {NAME}"},
    }
    messages = {message: {"$ref": f"#/components/messages/{message}"}}
    return {
        "address": f"leakear/{{site}}/{{node}}/{address}",
        "description": how,
        "parameters": parameters,
        "messages": messages,
    }


def _operation(action: str, channel: str, how: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": how}


def rendered() -> dict[Path, str]:
    """Path → text of every generated file."""
    files = {
        FOLDER / "schemas" / name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schema_files().items()
    }
    text = yaml.safe_dump(asyncapi(), sort_keys=False, allow_unicode=True, width=110)
    return {FOLDER / "asyncapi.yaml": "# Written by docs/contract.py: do not edit.\n" + text, **files}


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file differs")
    parser.add_argument("--asyncapi", type=Path, help="AsyncAPI's published JSON Schema, to validate against")
    args = parser.parse_args()
    if args.asyncapi:
        jsonschema.validate(asyncapi(), json.loads(args.asyncapi.read_text()))
    stale = [path for path, text in rendered().items() if not path.exists() or path.read_text() != text]
    if args.check:
        for path in stale:
            print(f"{path.name} is not what the code says: run python docs/contract.py", file=sys.stderr)
        return 1 if stale else 0
    for path, text in rendered().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
