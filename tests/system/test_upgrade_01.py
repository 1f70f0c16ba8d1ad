"""From a node that the installer of 0.1 made to the package, then to a broken release and back, on a real systemd.

`make test-packages`; needs root, and the commit of 0.1 in this checkout. The state folder is one that 0.1 itself wrote
(tests/data/make_state_01.py), with events that no broker has taken yet.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.debs import changed, packages
from tests.support.machine import Machine
from tests.support.places import ROOT
from tests.system.test_packages import HANG_S, confirmed, install

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
COMMIT = "74588d9"
"""of version 0.1"""
STATE = ROOT / "tests" / "data" / "state-0.1"
CONFIG = (STATE / "leakear.toml").read_text().replace("\nport = 1\n", "\nport = 1883\n")
FOLDER = "/var/lib/private/leakear"
LISTEN = "mosquitto_sub -q 1 -c -i watcher -t 'leakear/hill/pit-7/event'"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of 0.1 and, for a machine without a network, its wheels, as its installer's help says."""
    if subprocess.run(["git", "-C", ROOT, "cat-file", "-e", COMMIT], capture_output=True, check=False).returncode:
        pytest.skip(f"the commit {COMMIT} of version 0.1 is not in this checkout")
    if sys.version_info[:2] != (3, 11):
        pytest.skip("makes wheels for bookworm's Python 3.11")
    tree = tmp_path_factory.mktemp("old") / "leakear-0.1"
    tree.mkdir()
    packed = subprocess.run(["git", "-C", ROOT, "archive", COMMIT], check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", tree], input=packed, check=True)
    wheels = [sys.executable, "-m", "pip", "wheel", "--quiet", f"{tree}[edge]", "-c", tree / "constraints/edge.txt"]
    subprocess.run([*wheels, "-w", tree / "wheels"], check=True)
    return tree


@pytest.fixture(scope="module")
def machine(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A node of 0.1 that runs; its broker does not."""
    deb = packages("bookworm", "amd64", tmp_path_factory.mktemp("deb"))["edge"]
    broken = changed(deb, "1.0.3", tmp_path_factory.mktemp("changed"), cli__run="raise SystemExit(1)\n")
    with Machine("bookworm") as machine:
        shutil.copytree(checkout, machine.root / "srv" / "old")
        shutil.copy(deb, machine.root / "srv" / "leakear-edge.deb")
        shutil.copy(broken, machine.root / "srv")
        machine.sh("systemctl stop mosquitto")
        local = "listener 1883 127.0.0.1\nallow_anonymous true\n"
        (machine.root / "etc/mosquitto/conf.d/local.conf").write_text(local)
        said = machine.sh("/srv/old/systemd/install --offline /srv/old/wheels --no-start 2>&1", HANG_S)
        print(said[-500:])
        (machine.root / "etc/leakear/leakear.toml").write_text(CONFIG)
        (machine.root / FOLDER[1:]).parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copytree(STATE / "state", machine.root / FOLDER[1:])
        machine.sh("systemctl start leakear && systemctl is-active leakear && systemctl enable leakear")
        drop_in = machine.root / "etc/systemd/system/leakear-update.service.d"
        drop_in.mkdir()
        (drop_in / "quick.conf").write_text("[Service]\nEnvironment=CONFIRM_WITHIN=120 STEADY=15\n")
        yield machine


def waiting(machine: Machine) -> list[str]:
    """Return the ids of the events that no broker has taken, in order."""
    with TemporaryDirectory() as place:  # a copy: the daemon keeps the database locked
        for path in (machine.root / FOLDER[1:]).glob("outbox.db*"):
            shutil.copy(path, place)
        with closing(sqlite3.connect(f"{place}/outbox.db")) as database:
            rows = database.execute("SELECT payload FROM events WHERE status != 1 ORDER BY seq").fetchall()
    return [json.loads(payload)["id"] for (payload,) in rows]


def test_the_old_node_runs_and_events_wait(machine: Machine) -> None:
    assert "0.1.0" in machine.sh("leakear-edge --version")
    machine.sh("sleep 10")  # it has no microphone, and says so in an event
    assert len(waiting(machine)) > 3


def test_the_package_takes_configuration_state_and_waiting_events_over(machine: Machine) -> None:
    said = install(machine, "leakear-edge")
    assert "of the installer goes before this package's" in said
    assert "self-test" not in said, said
    assert "configuration and data stay" in machine.sh("leakear-update take-over")
    assert machine.run("test -e /opt/leakear -o -e /usr/local/bin/leakear-edge").returncode == 1
    machine.sh("systemctl stop leakear")
    before = waiting(machine)
    print(f"{len(before)} events wait")
    assert (machine.root / "etc/leakear/leakear.toml").read_text() == CONFIG
    machine.sh(f"systemctl start mosquitto; ({LISTEN} >/tmp/heard 2>&1 &) ; sleep 1")
    machine.sh("systemctl is-enabled leakear && systemctl start leakear && systemctl is-active leakear")
    machine.until("timeout 5 mosquitto_sub -C 1 -t leakear/hill/pit-7/availability | grep -q online", 60)
    machine.until(f"test $(wc -l </tmp/heard) -ge {len(before)}", 60)
    heard = [json.loads(line) for line in machine.sh("cat /tmp/heard").splitlines()]
    assert [event["id"] for event in heard][: len(before)] == before, "all of them, in their order"
    assert [event["seq"] for event in heard] == list(range(heard[0]["seq"], heard[0]["seq"] + len(heard)))
    assert "0.1.0" not in machine.sh("leakear-edge --version")
    assert machine.run("test -e /opt/leakear").returncode != 0


def test_a_broken_release_is_taken_back_and_nothing_is_lost(machine: Machine) -> None:
    last = json.loads(machine.sh("tail -1 /tmp/heard"))["seq"]
    install(machine, "leakear-edge_1.0.3")
    confirmed(machine)
    said = machine.sh("leakear-update status")
    assert "leakear-edge 1.0.3 was taken back" in said
    machine.until("systemctl is-active leakear", 60)
    state = "timeout 30 mosquitto_sub -C 1 -t leakear/hill/pit-7/state"
    machine.until(f"{state} | grep -q update_rolled_back", 90)
    assert (machine.root / "etc/leakear/leakear.toml").read_text() == CONFIG
    machine.until(f"tail -1 /tmp/heard | grep -q update_rolled_back || test $(wc -l </tmp/heard) -gt {last}", 60)
    heard = [json.loads(line)["seq"] for line in machine.sh("cat /tmp/heard").splitlines()]
    assert heard == list(range(heard[0], heard[0] + len(heard))), "no gap, none twice"
    assert heard[-1] > last, "the node told what happened"
    assert waiting(machine) == []
