"""check, listen, bench and devices, as a person runs them."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.audio.capture import Capture, CaptureOptions
from leakear.edge.audio.fake_microphone import FakeSource
from leakear.edge.cli import bench, check, main
from leakear.edge.cli.findings import Finding
from leakear.edge.cli.listen import Meter, sound
from leakear.edge.health.monitor import HealthOptions
from leakear.edge.model.macs import macs
from leakear.edge.model.tflite import Model
from leakear.edge.schedule import ScheduleOptions
from leakear.edge.settings import SYSTEM_FILE
from tests.support.broker import Broker
from tests.support.places import TINY

SOUND = (np.random.default_rng(6).standard_normal((48000 * 3, 2)) * 0.02).astype(np.float32)


def config(folder: Path, port: int, **audio: object) -> Path:
    path = folder / "node.toml"
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in audio.items())
    path.write_text(
        f"[node]\nstate_dir = '{folder}'\n[model]\npath = '{TINY}'\n[mqtt]\nhost = '127.0.0.1'\nport = {port}\n"
        f"[audio]\n{lines}\n"
    )
    return path


def look(path: Path, source: FakeSource) -> dict[str, Finding]:
    return {finding.name: finding for finding in check.look(path, 1.0, source)}


def test_a_ready_node_has_no_fault(tmp_path: Path, broker: Broker) -> None:
    found = look(config(tmp_path, broker.port), FakeSource(SOUND, speed=20))
    assert {finding.status for finding in found.values()} <= {"ok", "warning"}
    assert {"configuration", "model", "device", "rate", "level", "broker", "clock", "disk", "permissions"} <= set(found)
    assert found["device"].detail == "Fake microphone"
    assert "48000 Hz delivered, the model uses 22050 Hz" in found["rate"].detail
    assert found["level"].detail.startswith("-34.")
    assert found["broker"].status == "ok"
    assert "leakear-site-" in broker.log


def test_each_trouble_is_named_with_a_remedy(tmp_path: Path, broker: Broker) -> None:
    dead = look(config(tmp_path, broker.port), FakeSource(SOUND * 0, speed=20))["sound"]
    assert (dead.status, dead.detail) == ("fault", "digital_silence")
    assert "plug" in dead.remedy
    absent = look(config(tmp_path, broker.port, device="Scarlett"), FakeSource(SOUND))["device"]
    assert (absent.status, "not present" in absent.detail) == ("fault", True)
    slow = look(config(tmp_path, broker.port), FakeSource(SOUND[:, :1], rate=2000, speed=20))["rate"]
    assert slow.status == "warning"
    refused = look(config(tmp_path, broker.port, rate=22050), FakeSource(SOUND))["sound"]
    assert "Invalid sample rate" in refused.detail
    broker.stop()
    alone = look(config(tmp_path, broker.port), FakeSource(SOUND, speed=20))["broker"]
    assert (alone.status, "does not answer" in alone.detail) == ("warning", True)
    assert "events wait in the outbox" in alone.remedy


def test_a_broker_that_refuses_is_a_fault_with_its_reason(tmp_path: Path) -> None:
    with Broker(passwords={"somebody": "secret"}) as broker:
        found = look(config(tmp_path, broker.port), FakeSource(SOUND, speed=20))["broker"]
    assert found.status == "fault"
    assert "[mqtt]" in found.detail + found.remedy


def test_check_prints_json_and_ends_with_the_code_of_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[audio]\nspeed = 3\n")
    assert main(["check", "--config", str(path), "--json"]) == 78
    printed = json.loads(capsys.readouterr().out)
    assert printed["ok"] is False
    assert printed["findings"][0]["name"] == "configuration"
    assert "speed: unknown key" in printed["findings"][0]["detail"]


def test_listen_shows_level_spectrum_score_and_deafness() -> None:
    model = Model.load(TINY)
    meter = Meter(model, HealthOptions())
    source = FakeSource(SOUND, speed=40)
    options = CaptureOptions(deaf_s=0.5, retry_s=0.05)
    lines = []
    with Capture(options, model.info.spec, source) as capture:
        for line in meter.lines(capture):
            lines.append(line)
            if len(lines) == 25:
                source.unplug()
            if line.startswith("DEAF"):
                break
    assert lines[0].startswith(" -34.")
    assert f"Hz first P(leak) after 10 s, leak-like from {model.info.threshold:.2f}" in lines[0]
    assert any(f" {sign} {model.info.threshold:.2f}  floor" in line for line in lines for sign in ("<", ">="))
    assert any("P(leak) 0." in line or "P(leak) 1." in line for line in lines)
    assert len([line for line in lines if line.startswith("DEAF")]) == 1


def test_the_meter_names_the_strongest_frequency() -> None:
    spec = Model.load(TINY).info.spec
    times = np.arange(spec.sample_rate // 2) / spec.sample_rate
    said = sound((0.1 * np.sin(2 * np.pi * 630 * times)).astype(np.float32), spec)
    assert 500 < float(said.split()[-2]) < 800


def test_listen_names_the_faults_of_a_window() -> None:
    meter = Meter(Model.load(TINY), HealthOptions())
    silent = [Block(at, np.zeros(2048, np.float32), at / 2048, at / 2048) for at in range(0, 2048 * 300, 2048)]
    lines = list(meter.lines(silent))
    assert lines[-1].endswith("FAULT: digital_silence")


def test_listen_ends_by_itself_after_the_given_time() -> None:
    model = Model.load(TINY)
    meter = Meter(model, HealthOptions())
    faults = [SensorFault("no_device", "plug it in", second, second) for second in range(10)]
    assert len(list(meter.lines(faults, seconds=3))) == 4


def test_bench_counts_multiplications_and_recommends_a_step() -> None:
    model = Model.load(TINY)
    assert macs(model) == 41 * 53 * 8 * 64 + 10 * 17 * 12 * 4 * 3 * 8 + 12 * 16 + 16
    costs = bench.measure_costs(model, 3, ScheduleOptions().schedule(None))
    assert costs.window_ms > 0
    assert costs.real_time_factor == pytest.approx(costs.window_ms / 1e4)
    assert set(asdict(costs)["stages"]) >= {"health", "score", "spectrogram, whole"}
    assert "recommended step" in bench.text(costs)
    assert [bench.recommended_step(ms) for ms in (1, 300, 700, 2400, 60000)] == [1, 2, 5, 10, 60]


def test_bench_prints_json_alone_on_standard_output() -> None:
    command = [sys.executable, "-m", "leakear.edge.cli", "bench", "--model", str(TINY), "--repeat", "3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout)["model"].startswith("tiny")
    assert done.stderr == "", "no line of the runtime either"


def test_devices_say_what_to_do_when_there_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leakear.edge.cli.devices.SoundDeviceSource", lambda: FakeSource(SOUND))
    assert main(["devices"]) == 0
    assert "* Fake microphone" in capsys.readouterr().out
    gone = FakeSource(SOUND, plugged=False)
    gone.refresh()
    monkeypatch.setattr("leakear.edge.cli.devices.SoundDeviceSource", lambda: gone)
    assert main(["devices"]) == 1
    assert "plug the microphone in" in capsys.readouterr().out


def test_listening_to_no_microphone_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen", "--device", "there is none of this name", "--seconds", "1"]) == 1
    assert "no microphone was heard" in capsys.readouterr().err


@pytest.mark.skipif(SYSTEM_FILE.exists(), reason="this machine is a node")
def test_a_daemon_without_a_configuration_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "LEAKEAR_MQTT_PORT": "9"}
    command = [sys.executable, "-m", "leakear.edge.cli", "run"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        said = daemon.stderr.readline()
        daemon.terminate()
        daemon.communicate(timeout=60)
    assert said.startswith("no configuration is named (--config)")
