"""`leakear-edge replay` as a user meets it: every kind of bad input gets one sentence and its exit code."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.edge.model import bundle
from leakear.edge.model.tflite import FACTORY
from tests.support.broker import Broker, Subscriber
from tests.support.places import TINY

"""a small model of the tests' own, which hears loudness"""
RNG = np.random.default_rng(11)


def edge(*arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "leakear.edge.cli", *map(str, arguments)],
        check=False, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


def noise(path: Path, seconds: float = 10, rate: int = 22050, level: float = 0.02, **how: object) -> Path:
    channels = int(how.pop("channels", 1))  # type: ignore[call-overload]
    soundfile.write(path, level * RNG.standard_normal((int(seconds * rate), channels)), rate, **how)
    return path


def windows(result: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [item for item in map(json.loads, result.stdout.splitlines()) if item["type"] == "window"]


def sentence(result: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in result.stderr.splitlines() if line.startswith("leakear-edge:")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("how", "rate"),
    [
        ({}, 22050),
        ({}, 48000),
        ({"channels": 2}, 44100),
        ({"subtype": "PCM_U8"}, 22050),
        ({"subtype": "PCM_24"}, 22050),
        ({"subtype": "FLOAT"}, 96000),
    ],
)
def test_every_honest_format_is_scored(tmp_path: Path, how: dict[str, object], rate: int) -> None:
    result = edge("replay", "--json", noise(tmp_path / "a.wav", 20, rate, **how))
    assert result.returncode == 0, result.stderr
    assert [type(w["score"]) for w in windows(result)] == [float, float]


def truncated(path: Path) -> None:
    noise(path)
    path.write_bytes(path.read_bytes()[:100_000])


def nan(path: Path) -> None:
    samples = np.zeros(220500, np.float32)
    samples[1000] = np.nan
    soundfile.write(path, samples, 22050, subtype="FLOAT")


BAD = {
    "truncated": (truncated, "truncated"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "no samples": (lambda path: soundfile.write(path, np.zeros(0), 22050), "holds no samples"),
    "NaN": (nan, "NaN"),
    "no sound": (lambda path: path.write_bytes(b"hello" * 1000), "cannot be read as sound"),
    "too short": (lambda path: noise(path, 3), "lasts 3.0 s"),
    "absent": (lambda path: path.unlink(missing_ok=True), "cannot be opened"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_recordings_are_named_with_exit_code_65(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.wav"
    make, words = BAD[kind]
    make(path)
    result = edge("replay", path)
    assert result.returncode == 65
    assert words in sentence(result)
    assert str(path) in sentence(result)
    assert result.stdout == "Nothing was heard: 1 of 1 recordings could not be used.\n"


def test_one_bad_recording_does_not_stop_the_others(tmp_path: Path) -> None:
    truncated(tmp_path / "bad.wav")
    result = edge("replay", "--json", tmp_path / "bad.wav", noise(tmp_path / "good.wav"))
    assert result.returncode == 65
    assert len(windows(result)) == 1


def test_no_window_reaches_from_one_recording_into_the_next(tmp_path: Path) -> None:
    files = [noise(tmp_path / f"{i}.wav", 15) for i in range(3)]
    assert len(windows(edge("replay", "--json", *files))) == 3


def wrong_models(tmp_path: Path) -> dict[str, tuple[bytes, str]]:
    whole = FACTORY.read_bytes()
    plain = bundle.read(FACTORY).flatbuffer
    at = len(plain) // 2
    flipped = whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :]
    loaded = bundle.read(FACTORY)
    other = bundle.assemble(plain, dict(loaded.info.raw), loaded.golden_inputs, loaded.golden_logits + 3)
    old = whole.replace(b"PK\x03\x04", b"PK\x03\x04", 1)
    raw = {**loaded.info.raw}
    import unittest.mock

    with unittest.mock.patch.object(bundle, "SCHEMA", 99):
        old = bundle.assemble(plain, raw, loaded.golden_inputs, loaded.golden_logits)
    return {
        "plain": (plain, "plain .tflite"),
        "flipped": (flipped, "hash"),
        "golden": (other, "golden vector gives another result"),
        "schema": (old, "schema 99"),
        "foreign": (b"hello" * 100, "not a TFLite model"),
    }


@pytest.mark.parametrize("kind", ["plain", "flipped", "golden", "schema", "foreign"])
def test_wrong_models_are_refused_with_exit_code_78(tmp_path: Path, kind: str) -> None:
    data, words = wrong_models(tmp_path)[kind]
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    result = edge("replay", "--model", path, noise(tmp_path / "a.wav"))
    assert result.returncode == 78
    assert words in sentence(result)
    assert str(path) in sentence(result)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mqtt]\nhosst = 'x'\n", "hosst"),
        ("[mqtt]\nport = 'x'\n", "port"),
        ("[decision]\nclear_fraction = 0.95\n", "clear_fraction"),
        ("[decision]\nspan_s = 15\n", "span_s"),
    ],
)
def test_wrong_configurations_are_refused_with_exit_code_78(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "leakear.toml"
    path.write_text(text)
    result = edge("replay", "--config", path, noise(tmp_path / "a.wav"))
    assert result.returncode == 78
    assert words in sentence(result)


def config(tmp_path: Path, port: int) -> Path:
    path = tmp_path / "leakear.toml"
    path.write_text(
        f'[node]\nsite = "test"\nname = "pit"\nstate_dir = "{tmp_path}/state"\n'
        f'[model]\npath = "{TINY}"\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        "[decision]\nspan_s = 60\nconfirm_s = 30\nclear_s = 30\nnoisy_s = 60\n"
    )
    return path


def test_alerts_wait_for_a_broker_and_arrive_with_the_next_run(tmp_path: Path, broker: Broker) -> None:
    """No broker: exit 69 and nothing lost. Then the broker is there: every event, in order, none twice."""
    leak = noise(tmp_path / "leak.wav", 10, level=0.05)
    absent = edge("replay", "--config", config(tmp_path, 9), "--deadline", "1", "--repeat", "20", leak)
    assert absent.returncode == 69, absent.stderr
    assert "not acknowledged" in sentence(absent)
    with Subscriber(broker, "leakear/test/pit/event") as heard:
        quiet = noise(tmp_path / "quiet.wav", 10, level=1e-5)
        present = edge("replay", "--config", config(tmp_path, broker.port), "--repeat", "20", quiet)
        assert present.returncode == 0, present.stderr
        heard.wait(3)
    events = [json.loads(message.payload) for message in heard.messages]
    assert [event["to"] for event in events][:2] == ["WARNING", "LEAK"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["id"] for event in events}) == len(events)


def last_line(*arguments: object) -> str:
    result = edge("replay", "--model", TINY, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]


def test_the_last_line_says_what_to_do(tmp_path: Path) -> None:
    leak = noise(tmp_path / "leak.wav", 20, level=0.05)
    assert last_line(leak).endswith("an alarm needs 45 minutes of it. Try --repeat 150.")
    assert last_line(noise(tmp_path / "quiet.wav", 20, level=1e-5)).startswith("Quiet: 0 of 2 windows")
    soundfile.write(tmp_path / "silent.wav", np.zeros(22050 * 20), 22050)
    assert "digital_silence" in last_line(tmp_path / "silent.wav")
    said = last_line("--repeat", "150", leak)
    assert said.startswith("LEAK: went on for 15 min after WARNING")
    assert said.endswith("Send somebody.")


def test_json_carries_what_was_decided_on_and_a_summary(tmp_path: Path) -> None:
    leak = noise(tmp_path / "leak.wav", 20, level=0.05)
    result = edge("replay", "--json", "--model", TINY, "--repeat", "150", leak)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    alerts = [line for line in lines if line["type"] == "event"]
    assert [alert["decided_on"]["by"] for alert in alerts] == ["score", "score"]
    assert (lines[-1]["type"], lines[-1]["state"], lines[-1]["learning"]["nights_known"]) == ("summary", "LEAK", 0)


def test_help_teaches() -> None:
    result = edge("--help")
    assert result.returncode == 0
    for word in ("listen", "replay", "Exit codes", "config example"):
        assert word in result.stdout
    assert edge("replay", "--help").returncode == 0
    assert edge("nonsense").returncode == 2
