"""The add-ons' images under podman, started as the Supervisor does: its files, address, sound. `make test-addons`."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.support.broker import Broker, Subscriber
from tests.support.debs import packages
from tests.support.nginx import Nginx
from tests.support.places import ROOT
from tests.support.sound_servers import Pulse, until
from tests.support.supervisor import TOKEN, Supervisor
from tests.system.test_images import LIMIT_MB, PODMAN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
RUN = [*PODMAN, "run", "--rm", "--cgroups=disabled", "--network=host", "--log-driver=passthrough"]
RUN += ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000", "--add-host=supervisor:127.0.0.77"]
RUN += [f"--env=SUPERVISOR_TOKEN={TOKEN}", f"--env=HASSIO_TOKEN={TOKEN}", "--env=TZ=Europe/Lisbon"]
INGRESS = "172.30.32.2"
PREFIX = "/api/hassio_ingress/T0ken_of-ingress"
# supervisor/data/asound.tmpl and pulse-client.tmpl, as far as they do anything
ASOUND = "pcm.!default { type pulse }\nctl.!default { type pulse }\n"
CLIENT = "default-server = unix:///run/audio/pulse.sock\nautospawn = no\n"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Build both; return node and dashboard → name."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("mmdebstrap", "buildah", "podman", "ip"))):
        pytest.skip("needs root, mmdebstrap, buildah, podman and iproute2")
    folder = tmp_path_factory.mktemp("addon")
    for part, deb in packages("bookworm", "amd64", folder / "deb").items():
        build = [ROOT / "packaging" / "build-image", part, "amd64", deb, folder / f"leakear-{part}-amd64.tar"]
        print(subprocess.run(build, check=True, capture_output=True, text=True).stdout.strip())
    command = [ROOT / "packaging" / "homeassistant" / "build", "localhost", folder, folder / "repository", "amd64"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    print("\n".join(said))
    assert "image: localhost/leakear-node-{arch}" in (folder / "repository/leakear_node/config.yaml").read_text()
    return dict(zip(("node", "dashboard"), (line.split(": ")[0] for line in said), strict=False))


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Supervisor]:
    """The Supervisor's two addresses: its API, and where ingress comes from."""
    subprocess.run(["ip", "address", "add", f"{INGRESS}/32", "dev", "lo"], check=True)
    try:
        with Supervisor(None, ("127.0.0.77", 80)) as running:
            yield running
    finally:
        subprocess.run(["ip", "address", "delete", f"{INGRESS}/32", "dev", "lo"], check=True)


@contextmanager
def addon(image: str, data: Path, *more: str, words: tuple[str, ...] = ()) -> Iterator[Any]:
    """One add-on, until the end of the block; yields its process."""
    (data / "config").mkdir(exist_ok=True)
    name = f"leakear-{data.name}"
    mounts = [f"--volume={data}:/data", f"--volume={data}/config:/config:ro", *more]
    process = subprocess.Popen([*RUN, f"--name={name}", *mounts, image, *words], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        subprocess.run([*PODMAN, "stop", "--time=20", name], check=False, capture_output=True)
        process.wait(60)


def options(folder: Path, **values: str) -> Path:
    folder.mkdir()
    folder.chmod(0o755)
    path = folder / "options.json"
    path.write_text(json.dumps(values))
    path.chmod(0o600)  # the Supervisor's
    return folder


def test_the_images_are_small_and_say_what_they_are(images: dict[str, str]) -> None:
    for name in images.values():
        shown = json.loads(subprocess.run(["podman", "inspect", name], check=True, capture_output=True).stdout)[0]
        assert shown["Size"] <= LIMIT_MB * 1e6, name
        labels = shown["Config"]["Labels"]
        assert (labels["io.hass.type"], labels["io.hass.arch"]) == ("addon", "amd64")
        assert labels["io.hass.version"] == name.rpartition(":")[2]
        assert not shown["Config"].get("Volumes"), "its data is in /data alone"


def test_what_the_microphone_hears_reaches_the_page_through_ingress(
    images: dict[str, str], supervisor: Supervisor, tmp_path: Path
) -> None:
    """A microphone of Home Assistant's sound server → the node's add-on → MQTT → the dashboard's add-on → ingress."""
    tmp_path.chmod(0o755)
    hear, show = options(tmp_path / "hear", site="home", name="pipe"), options(tmp_path / "show", role="operate")
    (hear / "config").mkdir()
    shutil.copy(ROOT / "tests" / "data" / "tiny.tflite", hear / "config")
    (hear / "config" / "leakear.toml").write_text('[model]\npath = "/config/tiny.tflite"\n[window]\nstep_s = 1\n')
    (tmp_path / "asound.conf").write_text(ASOUND)
    (tmp_path / "client.conf").write_text(CLIENT)
    sound = tmp_path / "audio"
    sound.mkdir(mode=0o755)
    with Broker(passwords={"addons": "sëcret = x"}) as broker, Pulse() as pulse:
        supervisor.broker = {"host": "127.0.0.1", "port": broker.port, "username": "addons", "password": "sëcret = x"}
        socket = f"socket={sound}/pulse.sock"
        pulse.ask("pactl", "load-module", "module-native-protocol-unix", "auth-anonymous=1", socket)
        mounts = [f"--volume={sound}:/run/audio:ro", f"--volume={tmp_path}/client.conf:/etc/pulse/client.conf:ro"]
        mounts += [f"--volume={tmp_path}/asound.conf:/etc/asound.conf:ro"]
        with (
            addon(images["dashboard"], show) as page,
            Nginx({PREFIX: ("http://127.0.0.1:8099", {"X-Remote-User-Name": "ana"})}, source=INGRESS) as proxy,
        ):
            assert page.stdout.readline().strip() == "http://0.0.0.0:8099/"
            with (
                Subscriber(broker, "leakear/home/pipe/#", user="addons", password="sëcret = x") as heard,
                addon(images["node"], hear, *mounts),
            ):
                pulse.play(noise(tmp_path / "noise.wav", 120))
                until(lambda: any(heard_score(m) for m in heard.messages), "a judged window", 120)
                programs = subprocess.run(["ps", "-eo", "uid,args"], check=True, capture_output=True, text=True).stdout
                (node,) = [line.split() for line in programs.splitlines() if "/usr/bin/leakear-edge run" in line]
                assert node[0] == "10001"
                found = wait_for(f"{proxy.url}{PREFIX}/api/me", lambda me: me["line"]["connected"])
                assert (found["name"], found["role"]) == ("ana", "operate")
            with urllib.request.urlopen(f"{proxy.url}{PREFIX}/node/home/pipe") as answer:
                assert b'"../../static/js/app.js"' in answer.read()
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen("http://127.0.0.1:8099/api/me")
    assert {path.stat().st_uid for path in (hear / "leakear").iterdir()} == {10001}
    assert (hear / "options.json").stat().st_uid == 0


def noise(path: Path, seconds: int) -> Path:
    """Write what the small model of the tests takes for a leak."""
    soundfile.write(path, 0.05 * np.random.default_rng(2).standard_normal(seconds * 22050), 22050)
    return path


def heard_score(message: Any) -> bool:
    return message.topic.endswith("/state") and message.json.get("score") is not None


def wait_for(url: str, found: Any) -> Any:
    deadline = time.monotonic() + 60
    while not found(answer := json.load(urllib.request.urlopen(url, timeout=30))):
        assert time.monotonic() < deadline, answer
        time.sleep(0.5)
    return answer


def test_a_leak_is_an_alert_behind_ingress(images: dict[str, str], supervisor: Supervisor, tmp_path: Path) -> None:
    """Replayed through the node's add-on, so that minutes of sound take seconds."""
    tmp_path.chmod(0o755)
    hear, show = options(tmp_path / "hear", site="home", name="pipe"), options(tmp_path / "show", role="view")
    (hear / "config").mkdir()
    shutil.copy(ROOT / "tests" / "data" / "tiny.tflite", hear / "config")
    noise(hear / "config" / "leak.wav", 30)
    rule = "[decision]\nspan_s = 60\nconfirm_s = 30\nclear_s = 30\nnoisy_s = 60\n"
    (hear / "config" / "leakear.toml").write_text(f'[model]\npath = "/config/tiny.tflite"\n{rule}')
    with Broker(passwords={"addons": "p"}) as broker:
        supervisor.broker = {"host": "127.0.0.1", "port": broker.port, "username": "addons", "password": "p"}
        with (
            addon(images["dashboard"], show) as page,
            Nginx({PREFIX: ("http://127.0.0.1:8099", {})}, source=INGRESS) as proxy,
        ):
            page.stdout.readline()
            me = wait_for(f"{proxy.url}{PREFIX}/api/me", lambda me: me["line"]["connected"])
            assert (me["name"], me["role"]) == ("home-assistant", "view"), "the Supervisor may name nobody"
            with addon(images["node"], hear, words=("replay", "--repeat", "5", "/config/leak.wav")) as node:
                assert node.wait(300) == 0
            wait_for(f"{proxy.url}{PREFIX}/api/alerts", lambda page: "LEAK" in json.dumps(page))
