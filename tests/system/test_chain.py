"""Recordings → training → conversion → daemon → alert, each as the command a user types, on sound nobody recorded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.broker import Broker, Subscriber

pytest.importorskip("tensorflow")


def call(program: str, *arguments: object) -> str:
    command = [str(Path(sys.executable).with_name(program)), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(600)
def test_from_recordings_to_an_alert(tmp_path: Path, broker: Broker) -> None:
    sound, run, model = tmp_path / "sound", tmp_path / "run", tmp_path / "mine.tflite"
    call("leakear-train", "simulate", sound, "--sites", 8, "--clips", 4, "--seed", 3)
    call("leakear-train", "fit", sound, "-o", run, "--from", "scratch", "--epochs", 6, "--copies", 1)
    for name in ("model.keras", "run.json", "history.csv", "history.png", "confusion.png", "split.json", "report.html"):
        assert (run / name).stat().st_size > 0
    # A network of six epochs is not what the gate is for: its limits are opened, the rest of the conversion is real.
    call("leakear-convert", run, "-o", model, "--agreement", 0.5, "--auc-drop", 1)
    assert json.loads(call("leakear-convert", "inspect", model, "--json"))["positive"] == "Leak"
    threshold = json.loads(call("leakear-edge", "inspect", model, "--json"))["decision"]["threshold"]

    files = json.loads((run / "split.json").read_text())["files"]
    held_out = [sound / item["file"] for item in files if item["side"] != "train"]
    leaks = [path for path in held_out if path.parent.name == "Leak"]
    lines = map(json.loads, call("leakear-edge", "replay", "--json", "--model", model, *leaks).splitlines())
    scores = {line["file"]: line["score"] for line in lines if line["type"] == "window"}
    loudest = max(scores, key=lambda name: scores[name])
    settings = tmp_path / "leakear.toml"
    settings.write_text(
        f'[node]\nsite = "chain"\nname = "pit"\nstate_dir = "{tmp_path}/state"\n[mqtt]\nhost = "127.0.0.1"\n'
        f'port = {broker.port}\n[model]\npath = "{model}"\n'
        f"[decision]\nthreshold = {min(threshold, scores[loudest]):.6f}\nleak_needs_background = false\n"
    )
    with Subscriber(broker, "leakear/chain/pit/event") as heard:
        call("leakear-edge", "replay", "--config", settings, "--repeat", 400, loudest)
        heard.wait(2)
    assert heard.states() == ["WARNING", "LEAK"]
