"""What the installer says without a machine to install on, and what the units hand to the daemon."""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from tests.support.places import ROOT

INSTALL = ROOT / "systemd" / "install"


def install(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([INSTALL, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("option", ["--wheel", "--offline", "--python", "--frobnicate"])
def test_an_option_without_its_value_is_wrong_usage(option: str) -> None:
    done = install(option)
    assert done.returncode == 2
    assert f"install: {option} needs" in done.stderr or f"unknown option {option}" in done.stderr


def test_a_dry_run_says_what_would_be_and_claims_nothing() -> None:
    said = install("--dry-run").stdout
    for word in (
        "leakear[edge]",
        "constraints/edge.lock",
        "/opt/leakear",
        "leakear.service",
        "/etc/leakear/leakear.toml",
        "systemctl enable",
    ):
        assert word in said
    removed = install("--uninstall", "--dry-run").stdout
    assert "install: would be removed" in removed
    assert "install: removed" not in removed


def test_the_units_load_every_credential_that_is_read() -> None:
    edge = ROOT / "edge" / "leakear" / "edge"
    read = {name for path in edge.rglob("*.py") for name in re.findall(r'credential\("([a-z-]+)"\)', path.read_text())}
    assert {"mqtt-password", "mqtt-ca", "mqtt-client-certificate"} <= read
    for unit in ("leakear.service", "leakear@.service"):
        loaded = re.findall(r"^LoadCredential=([a-z-]+)", (ROOT / "systemd" / unit).read_text(), re.MULTILINE)
        assert set(loaded) == read


def test_the_broker_s_settings_load_beside_debian_s_own() -> None:
    """Debian's mosquitto.conf has its `persistence_location`; mosquitto 2.0 ends where it is given twice."""
    lines = (ROOT / "systemd" / "mosquitto" / "leakear.conf").read_text().splitlines()
    assert not [line for line in lines if line.startswith(("persistence_location", "pid_file", "log_dest"))]


def test_without_a_checkout_around_it_nothing_is_fetched_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "systemd"
    shutil.copytree(INSTALL.parent, folder)
    for words in ((), ("--wheel", str(INSTALL))):
        done = subprocess.run([folder / "install", "--dry-run", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "run this script in a checkout of leakear" in done.stderr
    shutil.copytree(ROOT / "constraints", tmp_path / "constraints")
    done = subprocess.run([folder / "install", "--dry-run"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "name a wheel with --wheel" in done.stderr


def pinned(name: str) -> dict[str, str]:
    text = (ROOT / "constraints" / name).read_text()
    found = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {re.sub(r"[_.]", "-", package).lower(): version for package, version in found}


@pytest.mark.parametrize(
    ("lock", "versions"),
    [("edge", "edge"), ("dashboard", "edge"), ("legacy", "legacy"), ("build", "workstation")],
)
def test_every_package_has_hashes_and_the_version_that_was_tested(lock: str, versions: str) -> None:
    locked, tested = pinned(f"{lock}.lock"), pinned(f"{versions}.txt")
    elsewhere = {"colorama", "tzdata"}  # for Windows alone
    assert {
        name: version for name, version in locked.items() if name not in elsewhere and tested.get(name) != version
    } == {}
    blocks = re.split(r"^(?=[A-Za-z])", (ROOT / "constraints" / f"{lock}.lock").read_text(), flags=re.MULTILINE)[1:]
    assert len(blocks) == len(locked)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    text = (ROOT / "constraints" / f"{lock}.lock").read_text()
    assert not re.search(r"https?://|--index-url|--find-links|file:", text)


@pytest.mark.parametrize(
    ("extra", "lock"), [("edge", "edge"), ("dashboard", "dashboard"), ("edge-tflite-runtime", "legacy")]
)
def test_the_locks_hold_all_that_is_asked_for(extra: str, lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {re.split(r"[<>=;\[ ]", one)[0].lower() for one in project["optional-dependencies"][extra]}
    assert asked <= pinned(f"{lock}.lock").keys()


def test_a_package_with_another_hash_is_not_installed(tmp_path: Path) -> None:
    lock = tmp_path / "edge.lock"
    text = (ROOT / "constraints" / "edge.lock").read_text()
    lock.write_text(re.sub(r"--hash=sha256:[0-9a-f]{64}", "--hash=sha256:" + "0" * 64, text))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary", ":all:"]
    done = subprocess.run([*command, "-r", lock, "-d", tmp_path / "got"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.mark.parametrize("unit", sorted((ROOT / "systemd").rglob("*.service")), ids=lambda path: path.name)
def test_the_exposure_of_every_unit_is_small(unit: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    name = unit.name.replace("@.", "@x.")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(unit, Path(folder) / name)
        command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(Path(folder) / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]
    print(f"\n{unit.name}: {done.stdout.splitlines()[-1]}")
