"""The Debian packages as files: the same bytes twice, what is inside, and the arm64 one as aarch64 code under qemu."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.broker import Broker, Subscriber
from tests.support.debs import packages
from tests.support.places import ROOT
from tests.system.test_arm64 import CPU, arm_root

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deb")


def listed(deb: Path) -> list[str]:
    done = subprocess.run(["dpkg-deb", "-c", deb], check=True, capture_output=True, text=True)
    return [line.split(maxsplit=5)[5] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("suite", "python"), [("bookworm", "311"), ("trixie", "313")])
def test_the_arm64_package_holds_arm64_code_for_its_python(folder: Path, suite: str, python: str) -> None:
    names = listed(packages(suite, "arm64", folder)["edge"])
    compiled = [name for name in names if f".cpython-{python}-" in name]
    assert compiled
    assert all(f"cpython-{python}-aarch64-linux-gnu" in name for name in compiled)
    assert not [name for name in names if "x86_64" in name or "__pycache__" in name or "/tests/" in name]
    for heavy in ("tensorflow", "librosa", "leakear/train", "leakear/dashboard", "scipy/stats"):
        assert not [name for name in names if f"/lib/{heavy}" in name]


def test_the_packages_hold_no_path_of_the_machine_that_built_them(folder: Path, tmp_path: Path) -> None:
    deb = packages("bookworm", "arm64", folder)["edge"]
    subprocess.run(["dpkg-deb", "-x", deb, tmp_path], check=True)
    grep = ["grep", "-rl", "-e", str(ROOT), "-e", "leakear-deb-", tmp_path]
    found = subprocess.run(grep, capture_output=True, check=False)
    assert found.stdout == b""


def test_built_twice_they_are_the_same_bytes(tmp_path: Path) -> None:
    if shutil.which("dh") is None:
        pytest.skip("needs debhelper")
    build = [sys.executable, ROOT / "packaging" / "build-deb", "--suite", "bookworm", "--arch", "arm64", "--out"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1764400000", "XZ_LEVEL": "0"}
    for name, mask in (("one", "022"), ("two", "077")):
        words = " ".join(f"'{word}'" for word in [*build, tmp_path / name])
        subprocess.run(["sh", "-c", f"umask {mask}; exec {words}"], check=True, env=environment)
    made = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(made) == 2
    for name in made:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


@pytest.fixture(scope="module")
def arm(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An aarch64 root file system with the package's files, and an Arm's own account of its processor."""
    place = arm_root(tmp_path_factory.mktemp("arm") / "root")
    subprocess.run(["dpkg-deb", "-x", packages("bookworm", "arm64", folder)["edge"], place], check=True)
    cpu = place / "srv" / "cpu"
    (cpu / "cpu0").mkdir(parents=True)
    (cpu / "cpuinfo").write_text(CPU)
    for name in ("possible", "present", "online"):
        (cpu / name).write_text("0\n")
    (place / "sys/devices/system/cpu").mkdir(parents=True, exist_ok=True)
    mounts = {"/proc": place / "proc", "/dev": place / "dev", str(cpu): place / "sys/devices/system/cpu"}
    for source, target in mounts.items():
        subprocess.run(["mount", "--bind", source, target], check=True)
    subprocess.run(["mount", "--bind", cpu / "cpuinfo", place / "proc" / "cpuinfo"], check=True)
    yield place
    for target in (place / "proc" / "cpuinfo", *mounts.values()):
        subprocess.run(["umount", "-l", target], check=False)


@pytest.mark.parametrize("processor", ["cortex-a53", "cortex-a72", "cortex-a76"])
def test_the_arm64_package_runs_as_aarch64_code_and_delivers(arm: Path, broker: Broker, processor: str) -> None:
    """The processors of a Pi Zero 2 W, a Pi 4 and a Pi 5; each has other int8 kernels."""
    shutil.rmtree(arm / "srv" / "state", ignore_errors=True)
    soundfile.write(arm / "srv" / "leak.wav", 0.05 * np.random.default_rng(2).standard_normal(30 * 22050), 22050)
    shutil.copy(ROOT / "tests" / "data" / "tiny.tflite", arm / "srv")
    (arm / "srv" / "leakear.toml").write_text(
        '[node]\nsite = "test"\nname = "arm"\nstate_dir = "/srv/state"\n[model]\npath = "/srv/tiny.tflite"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
        "[decision]\nspan_s = 60\nconfirm_s = 30\nclear_s = 30\nnoisy_s = 60\n"
    )
    program = ["/usr/sbin/chroot", arm, "/usr/lib/leakear-edge/package/bin/leakear-edge"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/srv", "QEMU_CPU": processor}
    replay = [*program, "replay", "--repeat", "5", "--config", "/srv/leakear.toml", "/srv/leak.wav"]
    with Subscriber(broker, "leakear/test/arm/event") as heard:
        done = subprocess.run(replay, capture_output=True, text=True, check=False, env=environment, timeout=900)
        assert done.returncode == 0, done.stderr
        heard.wait(2)
    assert heard.states()[:2] == ["WARNING", "LEAK"]
