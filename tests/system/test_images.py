"""The images under podman: read-only, no root, small, and a leak from one to the other. `make test-images`."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from tests.support.broker import Broker, Subscriber, free_port
from tests.support.debs import packages
from tests.support.places import ROOT
from tests.system.test_arm64 import CPU

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ALONE = 'mount --make-rprivate /; umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"'
"""a mount namespace with its own cgroup2 tree, in place of what an older host mixes up"""
PODMAN = ["unshare", "-m", "sh", "-ec", ALONE, "sh", "podman"]
RUN = [*PODMAN, "run", "--rm", "--cgroups=disabled", "--no-healthcheck", "--network=host"]
RUN += ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"]  # some hosts forbid to raise them
RUN += ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--log-driver=none"]
LIMIT_MB = 250
PROBE = """import importlib, pkgutil, sys
sys.path.insert(0, f"/usr/lib/leakear-{sys.argv[1]}/package/lib")
package = importlib.import_module(f"leakear.{sys.argv[1]}")
others = ("demo", "__main__")
names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    if not any(part in name for part in others):
        importlib.import_module(name)
print(len(names))"""
"""imports every module but those that other extras are for"""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Build both images; return edge and dashboard → name."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("mmdebstrap", "buildah", "podman"))):
        pytest.skip("needs root, mmdebstrap, buildah and podman")
    return built("amd64", tmp_path_factory.mktemp("image"))


def built(processor: str, folder: Path) -> dict[str, str]:
    """Build both images for a processor; return edge and dashboard → name."""
    folder.mkdir(exist_ok=True)
    names = {}
    for part, deb in packages("bookworm", processor, folder / "deb").items():
        build: list[str | Path] = [ROOT / "packaging" / "build-image", part, processor, deb, folder / f"{part}.tar"]
        said = subprocess.run(build, check=True, capture_output=True, text=True).stdout
        print(said.strip())
        names[part] = f"localhost/{said.split(': ')[0]}"
    return names


@pytest.mark.parametrize("part", ["edge", "dashboard"])
def test_no_root_a_healthcheck_and_a_small_size(images: dict[str, str], part: str) -> None:
    shown = json.loads(subprocess.run(["podman", "inspect", images[part]], check=True, capture_output=True).stdout)[0]
    assert shown["Config"]["User"] == "10001:10001"
    assert shown["Healthcheck"]["Test"]
    assert shown["Size"] <= LIMIT_MB * 1e6
    done = subprocess.run([*RUN, "--entrypoint=/bin/sh", images[part]], capture_output=True, text=True, check=False)
    assert done.returncode != 0, "there is no shell"


@pytest.mark.parametrize("part", ["edge", "dashboard"])
def test_every_module_finds_its_libraries(images: dict[str, str], part: str) -> None:
    """A page that is never opened in a test may miss one until somebody opens it."""
    command = [*RUN, "--log-driver=passthrough", "--entrypoint=/usr/bin/python3", images[part], "-sPc", PROBE, part]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


@pytest.fixture
def dashboard(images: dict[str, str], broker: Broker) -> Iterator[tuple[str, str]]:
    """Address and token of a dashboard in its container."""
    port = free_port()
    words = ["--broker", f"mqtt://127.0.0.1:{broker.port}", "--listen", f"127.0.0.1:{port}"]
    command = [*RUN, "--log-driver=passthrough", f"--name=leakear-{port}", images["dashboard"], *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    address, token = next(line for line in process.stdout if "token=" in line).strip().split("/?token=")
    yield address, token
    subprocess.run([*PODMAN, "kill", f"leakear-{port}"], check=False, capture_output=True)
    process.wait(60)


def test_a_leak_goes_from_the_node_to_the_dashboard(
    images: dict[str, str], broker: Broker, dashboard: tuple[str, str], tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    soundfile.write(tmp_path / "leak.wav", 0.05 * np.random.default_rng(2).standard_normal(30 * 22050), 22050)
    shutil.copy(ROOT / "tests" / "data" / "tiny.tflite", tmp_path)
    (tmp_path / "leakear.toml").write_text(
        f'[node]\nsite = "test"\nname = "box"\n[model]\npath = "/srv/tiny.tflite"\n[mqtt]\n'
        f'host = "127.0.0.1"\nport = {broker.port}\n'
        "[decision]\nspan_s = 60\nconfirm_s = 30\nclear_s = 30\nnoisy_s = 60\n"
    )
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    node = [*RUN, f"--volume={tmp_path}:/srv:ro", images["edge"], "replay", "--repeat", "5"]
    with Subscriber(broker, "leakear/test/box/event") as heard:
        done = subprocess.run(
            [*node, "--config", "/srv/leakear.toml", "/srv/leak.wav"], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        heard.wait(2)
    assert heard.states()[:2] == ["WARNING", "LEAK"]
    address, token = dashboard
    ask = urllib.request.Request(f"{address}/api/alerts", headers={"Authorization": f"Bearer {token}"})
    deadline = time.monotonic() + 60
    while b'"LEAK"' not in (answer := urllib.request.urlopen(ask, timeout=30).read()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.5)


def test_the_arm64_images_are_as_small_and_run(images: dict[str, str], tmp_path: Path) -> None:
    assert set(images) == {"edge", "dashboard"}, "what these need is here"
    if not Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
        pytest.skip("needs qemu-user-static and binfmt-support")
    tmp_path.chmod(0o755)
    (tmp_path / "cpuinfo").write_text(CPU)
    soundfile.write(tmp_path / "leak.wav", 0.05 * np.random.default_rng(2).standard_normal(30 * 22050), 22050)
    shutil.copy(ROOT / "tests" / "data" / "tiny.tflite", tmp_path)
    run = [*RUN, "--log-driver=passthrough", "--arch=arm64", f"--volume={tmp_path / 'cpuinfo'}:/proc/cpuinfo:ro"]
    run += [f"--volume={tmp_path}:/srv:ro", "--env=QEMU_CPU=cortex-a53"]  # qemu 7.2's SME gives other int8 results
    for part, name in built("arm64", tmp_path / "image").items():
        shown = json.loads(subprocess.run(["podman", "inspect", name], check=True, capture_output=True).stdout)[0]
        assert shown["Architecture"] == "arm64"
        assert shown["Size"] <= LIMIT_MB * 1e6
        probe = [*run, "--entrypoint=/usr/bin/python3", name, "-sPc", PROBE, part]
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) > 50
        if part == "edge":
            words = ["replay", "--repeat", "5", "--model", "/srv/tiny.tflite", "/srv/leak.wav"]
            done = subprocess.run([*run, name, *words], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            print(done.stdout)


def test_the_compose_file_names_the_images_that_are_built(images: dict[str, str]) -> None:
    services = yaml.safe_load((ROOT / "examples" / "container" / "docker-compose.yml").read_text())["services"]
    for service, part in (("node", "edge"), ("dashboard", "dashboard")):
        name = re.sub(r"\$\{LEAKEAR:-(.*)\}", r"\1", services[service]["image"])
        assert f"localhost/{name}" == images[part]
        assert services[service]["read_only"]
        assert services[service]["cap_drop"] == ["ALL"]
