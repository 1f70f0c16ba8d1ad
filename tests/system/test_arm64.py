"""The node as aarch64 code under qemu-user: wheels resolve, it delivers, scores equal x86-64's. `make test-arm64`."""

import json
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
from tests.support.machine import CACHE, mirror
from tests.support.places import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PLATFORMS = [f"manylinux{tag}_aarch64" for tag in ("2014", "_2_17", "_2_27", "_2_28", "_2_34")]
INCLUDE = "python3,libportaudio2,libstdc++6,coreutils,libc-bin,bash,dash"
LITERT = "2.1.6"  # newer ones read the host's /proc/cpuinfo and crash under qemu-user; a real Arm has no such trouble
CPU = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\nCPU part\t: 0xd03\n"
"""an Arm's own /proc/cpuinfo: the newest LiteRT reads it, and under qemu-user finds the host's"""
BINFMT = (
    r":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:"
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:F"
)
LOGITS = """
import json, sys
from leakear.edge.model.tflite import Model
model = Model.load(sys.argv[1])
print(json.dumps(model.golden_logits()))
"""


def download(folder: Path, wheel: Path, python: str) -> list[Path]:
    """Let pip resolve the node's wheels for aarch64, as the installer's would."""
    command = [sys.executable, "-m", "pip", "download", "-q", "-d", folder, "--only-binary=:all:"]
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    extra = [f"ai-edge-litert=={LITERT}"] if python == "3.11" else []
    subprocess.run(
        [*command, *platforms, "--python-version", python, f"leakear[edge] @ {wheel.as_uri()}", *extra],
        check=True, capture_output=True,
    )  # fmt: skip
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", out, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_every_wheel_exists_for_aarch64(wheel: Path, tmp_path: Path, python: str) -> None:
    names = [path.name for path in download(tmp_path, wheel, python)]
    print(python, names)
    assert any(name.startswith("ai_edge_litert") and "aarch64" in name for name in names)
    assert not any(name.startswith(("tensorflow", "librosa")) for name in names)


def emulator() -> None:
    """Let the kernel start aarch64 programs."""
    registry = Path("/proc/sys/fs/binfmt_misc")
    if not (registry / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", registry], check=True)
    if not (registry / "qemu-aarch64").exists():
        (registry / "register").write_text(BINFMT)


def arm_root(place: Path) -> Path:
    """Return a copy of an aarch64 root file system, made once; skip where the tools or the rights are missing."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("mmdebstrap", "qemu-aarch64-static", "chroot"))):
        pytest.skip("needs root, mmdebstrap and qemu-user-static")
    emulator()
    root = CACHE / "arm64-root"
    if not (root / "usr" / "bin" / "python3").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", "--mode=root", "--variant=extract", "--arch=arm64", f"--include={INCLUDE}"]
        subprocess.run([*command, "bookworm", root, mirror()], check=True, capture_output=True)
        subprocess.run(["chroot", root, "/sbin/ldconfig"], check=True)
    subprocess.run(["cp", "-a", root, place], check=True)
    (place / "srv").mkdir(exist_ok=True)
    return place


@pytest.fixture(scope="module")
def arm(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A root file system of aarch64 programs with the node's wheels in /opt/site."""
    place = arm_root(tmp_path_factory.mktemp("arm") / "root")
    wheels = tmp_path_factory.mktemp("wheels")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", place / "opt" / "site"]
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    subprocess.run(
        [*install, *platforms, "--python-version", "3.11", "--only-binary=:all:", *download(wheels, wheel, "3.11")],
        check=True, capture_output=True,
    )  # fmt: skip
    for folder in ("proc", "dev"):
        subprocess.run(["mount", "--bind", f"/{folder}", place / folder], check=True)
    yield place
    for folder in ("proc", "dev"):
        subprocess.run(["umount", "-l", place / folder], check=False)


def on_arm(root: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "/opt/site", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/srv"}
    return subprocess.run(
        ["/usr/sbin/chroot", root, "/usr/bin/python3", *map(str, arguments)],
        check=False, capture_output=True, text=True, timeout=900, env=environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def recording(arm: Path) -> Path:
    path = arm / "srv" / "leak.wav"
    soundfile.write(path, 0.05 * np.random.default_rng(2).standard_normal(30 * 22050), 22050)
    for name in ("factory.tflite", "tiny.tflite"):
        source = ROOT / ("tests/data" if name == "tiny.tflite" else "edge/leakear/edge/model") / name
        shutil.copy(source, arm / "srv" / name)
    return path


def test_it_is_aarch64(arm: Path) -> None:
    assert on_arm(arm, "-c", "import platform; print(platform.machine())").stdout.strip() == "aarch64"


@pytest.mark.parametrize("name", ["factory.tflite", "tiny.tflite"])
def test_int8_logits_are_bit_equal_to_x86(arm: Path, recording: Path, name: str, tmp_path: Path) -> None:
    """The same runtime version on both sides; golden vectors are checked when the model is loaded."""
    there = on_arm(arm, "-c", LOGITS, f"/srv/{name}")
    assert there.returncode == 0, there.stderr
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", tmp_path, f"ai-edge-litert=={LITERT}"],
        check=True, capture_output=True,
    )  # fmt: skip
    here = subprocess.run(
        [sys.executable, "-c", LOGITS, arm / "srv" / name],
        check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    print(name, there.stdout.strip(), here.stdout.strip())
    assert json.loads(there.stdout) == json.loads(here.stdout)


def test_the_daemon_replays_scores_and_delivers_from_aarch64(arm: Path, recording: Path, broker: Broker) -> None:
    (arm / "srv" / "leakear.toml").write_text(
        '[node]\nsite = "test"\nname = "arm"\nstate_dir = "/srv/state"\n[model]\npath = "/srv/tiny.tflite"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
        "[decision]\nspan_s = 60\nconfirm_s = 30\nclear_s = 30\nnoisy_s = 60\n"
    )
    replay = ["-m", "leakear.edge.cli", "replay", "--json", "--repeat", "5"]
    with Subscriber(broker, "leakear/test/arm/event") as heard:
        there = on_arm(arm, *replay, "--config", "/srv/leakear.toml", "/srv/leak.wav")
        assert there.returncode == 0, there.stderr
        heard.wait(2)
    assert heard.states()[:2] == ["WARNING", "LEAK"]
    here = subprocess.run(
        [sys.executable, *replay, "--model", ROOT / "tests/data/tiny.tflite", recording],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    scores = [
        [item["score"] for item in map(json.loads, text.splitlines()) if item["type"] == "window"]
        for text in (there.stdout, here.stdout)
    ]
    worst = float(np.abs(np.subtract(*scores)).max())
    print(f"{len(scores[0])} windows, worst |Δp| between aarch64 and x86-64: {worst:.2e}")
    assert worst < 0.05
