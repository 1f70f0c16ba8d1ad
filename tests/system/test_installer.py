"""What the installer says without a machine to install on, and what the units hand to the daemon."""

import re
import subprocess

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
    for word in ("leakear[edge]", "/opt/leakear", "leakear.service", "/etc/leakear/leakear.toml", "systemctl enable"):
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
