"""The unit that limits the nodes' connections, on a real systemd. `make test-systemd`; needs root."""

import subprocess
from pathlib import Path

import pytest

from tests.support.machine import Machine
from tests.support.places import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SERVICE = "leakear-limits"


def test_the_unit_loads_the_limits_and_takes_them_away() -> None:
    with Machine() as machine:
        shipped = ROOT / "systemd" / "mosquitto"
        folder = machine.root / "etc" / "mosquitto" / "leakear"
        subprocess.run([ROOT / "systemd" / "broker", "--folder", folder, "install"], check=True)
        assert _words(folder / "limits.nft") == _words(shipped / "limits.nft")
        subprocess.run(["cp", shipped / f"{SERVICE}.service", machine.root / "etc" / "systemd" / "system"], check=True)
        machine.sh(f"systemctl daemon-reload && systemctl enable --now {SERVICE}")
        assert "128 kbytes/second" in machine.sh("nft list table inet leakear")
        machine.sh("nft flush ruleset && systemctl restart nftables")  # what an administrator does to the firewall
        machine.until("nft list table inet leakear")
        machine.sh(f"systemctl reload {SERVICE}")
        assert machine.sh("nft list table inet leakear").count("128 kbytes/second") == 2
        machine.sh(f"systemctl stop {SERVICE}")
        assert machine.run("nft list table inet leakear").returncode != 0
        print("\n" + machine.sh(f"systemd-analyze security {SERVICE} --no-pager | tail -1"))


def _words(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split()
