"""What the packages are made of, without building them."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from leakear.edge.settings import Settings
from tests.support.places import ROOT

PACKAGING = ROOT / "packaging"
SCRIPTS = (
    *sorted((PACKAGING / "debian").glob("*.p*")),
    PACKAGING / "debian" / "leakear-update",
    PACKAGING / "apt-repository",
    PACKAGING / "build-image",
    PACKAGING / "pulse-plugin",
    PACKAGING / "homeassistant" / "build",
)


def test_the_configuration_file_of_the_package_is_the_defaults() -> None:
    """It stays as it is from version to version: a change would make dpkg ask in the middle of an upgrade."""
    settings = Settings.load(PACKAGING / "debian" / "leakear.toml")
    assert settings.node.site == "site"
    assert settings.audio.device == ""
    assert settings.mqtt.host == "localhost"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_scripts_are_posix_shell(script: Path) -> None:
    text = script.read_text().replace("#DEBHELPER#", "")
    done = subprocess.run(["dash" if shutil.which("dash") else "sh", "-n"], input=text, text=True, check=False)
    assert done.returncode == 0


def test_wrong_usage_is_2() -> None:
    for script in (PACKAGING / "debian" / "leakear-update", PACKAGING / "apt-repository", PACKAGING / "build-image"):
        done = subprocess.run([script], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith(("The versions of leakear-edge", "packaging/"))


@pytest.mark.parametrize("script", [*SCRIPTS, ROOT / "systemd" / "install"], ids=lambda path: path.name)
def test_root_runs_no_module_of_the_present_folder(script: Path, tmp_path: Path) -> None:
    """As in /tmp, where anybody may put a json.py: each call of Python in the scripts is carried out beside one."""
    calls = re.findall(r"""python(?:3|") (-\w*[mc]) (compileall|venv|pip|'\n)""", script.read_text())
    for flags, what in calls:
        for name in ("json", "compileall", "venv", "pip"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit(42)")
        rest = ["import json"] if what == "'\n" else [what, "-h"]
        done = subprocess.run([sys.executable, flags, *rest], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, (flags, what)


@pytest.mark.parametrize("name", ["leakear-dashboard", "leakear-dashboard-ingest@"])
def test_the_exposure_of_the_dashboard_is_small(name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(shutil.copy(PACKAGING / f"{name}.service", folder))
        command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]
    print(f"\n{done.stdout.splitlines()[-1]}")


def test_the_list_of_an_image_names_debians_packages(tmp_path: Path) -> None:
    (tmp_path / "python.json").write_text('{"components": [{"name": "numpy"}]}')
    (tmp_path / "debs").write_text(
        "libc6_2.36-9_arm64.deb\nlock\npartial\nlibpulse0_16.1%2b1_arm64.deb\ntzdata_1%3a2_all.deb\n"
    )
    command = [ROOT / "packaging" / "image-sbom", "python.json", "debs", "out.json"]
    subprocess.run(command, check=True, cwd=tmp_path)
    listed = json.loads((tmp_path / "out.json").read_text())["components"]
    assert [(one["name"], one.get("version")) for one in listed] == [
        ("numpy", None), ("libc6", "2.36-9"), ("libpulse0", "16.1+1"), ("tzdata", "1:2"),
    ]  # fmt: skip
    assert listed[3]["purl"] == "pkg:deb/debian/tzdata@1%3A2?arch=all"
    (tmp_path / "debs").write_text("")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "names no package" in done.stderr
