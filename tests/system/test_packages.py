"""The Debian packages on a real systemd: installed, upgraded, taken back, removed. `make test-packages`; needs root.

One machine for each suite serves all its tests, in order: each leaves it as an operator would.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import soundfile

from tests.support.debs import MARKS, changed, packages
from tests.support.machine import Machine
from tests.support.places import ROOT
from tests.system.first_alert import page
from tests.system.first_alert.__main__ import COMMANDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
HANG_S = 900
CONFIG = """
[node]
site = "test"
name = "pit"
[model]
path = "/srv/tiny.tflite"
[mqtt]
host = "localhost"
[decision]
span_s = 60
confirm_s = 30
clear_s = 30
noisy_s = 60
leak_needs_background = false
"""
REPLAY = "/usr/bin/leakear-edge replay --config /etc/leakear/leakear.toml --speed max /srv/leak.wav"
FILES = (
    "find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /srv -o -path /var/log"
    " -o -path /root -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg"
    " -o -path /var/lib/mosquitto -o -name __pycache__ \\) -prune -o -print | sort"
)
RNG = np.random.default_rng(5)


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def debs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Path]]:
    return request.param, packages(request.param, "amd64", tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def machine(debs: tuple[str, dict[str, Path]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    suite, built = debs
    with Machine(suite) as machine:
        srv = machine.root / "srv"
        for part, path in built.items():
            subprocess.run(["cp", path, srv / f"leakear-{part}.deb"], check=True)
        broken = "raise SystemExit(1)\n"
        out = tmp_path_factory.mktemp("changed")
        edge = built["edge"]
        for version, files in {
            "1.0.1": {},
            "1.0.2": {"spectrogram__stft": broken},  # fails its self-test
            "1.0.3": {"cli__run": broken},  # fails as a unit alone
            "1.0.4": {"cli__run": "raise SystemExit(78)\n"},  # stays down
        }.items():
            subprocess.run(["cp", changed(edge, version, out, **files), srv], check=True)
        served = repository(out, suite, srv / "leakear-edge_1.0.1.deb")
        subprocess.run(["cp", "-r", served, srv / "apt"], check=True)
        leak = np.concatenate([1e-5 * RNG.standard_normal(30 * 22050), 0.05 * RNG.standard_normal(270 * 22050)])
        soundfile.write(srv / "leak.wav", leak, 22050)
        subprocess.run(["cp", ROOT / "tests" / "data" / "tiny.tflite", srv], check=True)
        (machine.root / "etc/mosquitto/conf.d/local.conf").write_text("listener 1883 127.0.0.1\nallow_anonymous true\n")
        machine.sh("systemctl restart mosquitto")
        drop_in = machine.root / "etc/systemd/system/leakear-update.service.d"
        drop_in.mkdir()
        (drop_in / "quick.conf").write_text("[Service]\nEnvironment=CONFIRM_WITHIN=120 STEADY=15\n")
        machine.sh(f"systemctl daemon-reload; ({FILES}) >/tmp/before")
        yield machine


def repository(out: Path, suite: str, deb: Path) -> Path:
    """Make an apt repository of one package, signed with a key of its own."""
    if shutil.which("reprepro") is None or shutil.which("gpg") is None:
        pytest.skip("needs reprepro and gnupg")
    named = out / f"leakear-edge_1.0.1+{MARKS[suite]}_amd64.deb"
    shutil.copy(deb, named)
    with TemporaryDirectory(prefix="gpg-") as keys:
        environment = {**os.environ, "GNUPGHOME": keys}
        make_key = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "test <test@localhost>"]
        subprocess.run(make_key, check=True, env=environment, capture_output=True)
        command = [ROOT / "packaging" / "apt-repository", out / "apt", "test@localhost", named]
        said = subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout
        subprocess.run(["gpgconf", "--kill", "all"], check=False, env=environment)
    assert "sudo apt update && sudo apt install leakear-edge" in said
    return out / "apt"


def install(machine: Machine, *names: str) -> str:
    """`apt-get install` of files in /srv."""
    words = " ".join(f"/srv/{name}.deb" for name in names)
    command = f"apt-get install -y -o Dpkg::Options::=--force-confold {words} 2>&1"
    return machine.sh(f"DEBIAN_FRONTEND=noninteractive {command}", HANG_S)


def heard(machine: Machine, script: str, seconds: int, topic: str = "event") -> list[dict[str, object]]:
    """Run a script with a subscriber beside it; return the messages that came."""
    listen = f"timeout {seconds} mosquitto_sub -q 1 -c -i watcher -t 'leakear/test/pit/{topic}' >/tmp/heard"
    machine.sh(f"({listen} &) ; sleep 1; {script}; sleep {seconds}", seconds + 240)
    return [json.loads(line) for line in machine.sh("cat /tmp/heard").splitlines()]


def seq(machine: Machine) -> int:
    """Return the number of the node's newest event."""
    return int(json.loads(machine.sh("timeout 90 mosquitto_sub -C 1 -t leakear/test/pit/state"))["seq"])


def confirmed(machine: Machine) -> None:
    """Wait until nothing is on trial any more."""
    machine.until("test ! -e /var/lib/leakear-update/trial && ! systemctl is-active -q leakear-update", 300)


def test_install_says_the_next_step_and_the_node_runs(machine: Machine) -> None:
    said = install(machine, "leakear-edge", "leakear-dashboard")
    assert "journalctl -u leakear-dashboard" in said
    assert "next: put site, microphone and broker into /etc/leakear/leakear.toml" in said
    assert "self-test" not in said, said
    machine.sh("systemctl is-active leakear && systemctl is-enabled leakear leakear-update")
    assert "/etc/leakear/leakear.toml" in machine.sh("dpkg-query -W -f '${Conffiles}' leakear-edge")
    assert machine.run("dpkg --verify leakear-edge").stdout == ""
    machine.until("systemctl status leakear | grep -q 'Status: .*SENSOR_FAULT'")  # no microphone here: it says so
    size = machine.sh("du -sm /usr/lib/leakear-edge").split()[0]
    print(f"installed with compiled modules: {size} MB")
    assert int(size) <= 200


def test_the_typed_commands_lead_to_an_alert_on_the_dashboard(machine: Machine) -> None:
    """Those of docs/INSTALL.md for the packages, but for the first, which the test before has run."""
    typed = page.way("deb").to_an_alert
    assert len(typed) <= COMMANDS
    assert typed[0].startswith("sudo apt install ./leakear-edge_")
    began = time.monotonic()
    for command in typed[1:]:
        done = machine.run(command.replace("sudo ", ""), HANG_S)
        print(f"$ {command}\n{done.stdout[-1500:]}{done.stderr[-500:]}")
        assert done.returncode == 0 or " check " in command  # no microphone here: check says so, with 1
    machine.until(f"{alerts(machine)} | grep -qE 'WARNING|LEAK'", 60)
    print(f"{len(typed)} typed commands; after the installation {time.monotonic() - began:.0f} s")


def alerts(machine: Machine) -> str:
    """Return a command that prints the alerts of the dashboard."""
    address = machine.sh("journalctl -u leakear-dashboard -o cat | grep -o 'http://[^ ]*token=[^ ]*' | tail -1").strip()
    base, token = address.split("/?token=")
    ask = f"urllib.request.Request('{base}/api/alerts', headers={{'Authorization': 'Bearer {token}'}})"
    return f'python3 -c "import urllib.request; print(urllib.request.urlopen({ask}).read().decode())"'


def test_a_leak_reaches_the_broker(machine: Machine) -> None:
    (machine.root / "etc/leakear/leakear.toml").write_text(CONFIG)
    machine.sh("systemctl restart leakear")
    machine.until("timeout 5 mosquitto_sub -C 1 -t leakear/test/pit/availability | grep -q online", 60)
    folder = machine.root / "etc/systemd/system/leakear.service.d"
    folder.mkdir()
    (folder / "test.conf").write_text(f"[Service]\nRestart=no\nExecStart=\nExecStart={REPLAY}\n")
    events = heard(machine, "systemctl daemon-reload; systemctl restart leakear", 20)
    (folder / "test.conf").unlink()
    folder.rmdir()
    assert "LEAK" in [event["to"] for event in events]
    machine.sh("systemctl daemon-reload; systemctl restart leakear; sleep 2; systemctl is-active leakear")


def test_the_dashboard_shows_it(machine: Machine) -> None:
    machine.until(f"{alerts(machine)} | grep LEAK | grep -q pit", 60)
    said = machine.sh("systemd-analyze security leakear-dashboard --no-pager | tail -1")
    print(said)
    assert float(said.split("leakear-dashboard.service:")[1].split()[0]) <= 2.5


def test_an_upgrade_keeps_state_and_configuration(machine: Machine) -> None:
    before = seq(machine)
    assert before > 0
    source = (
        "deb [signed-by=/etc/apt/keyrings/leakear.gpg] file:/srv/apt $(. /etc/os-release; echo $VERSION_CODENAME) main"
    )
    machine.sh(
        f'install -D -m 644 /srv/apt/leakear.gpg /etc/apt/keyrings/leakear.gpg; echo "{source}" >/etc/leakear.list'
    )
    only = "-o Dir::Etc::sourcelist=/etc/leakear.list -o Dir::Etc::sourceparts=-"
    machine.sh(f"apt-get update {only} 2>&1; DEBIAN_FRONTEND=noninteractive apt-get upgrade -y {only} 2>&1", HANG_S)
    machine.sh("rm -r /etc/apt/keyrings/leakear.gpg /etc/leakear.list")
    confirmed(machine)
    said = machine.sh("leakear-update status")
    assert "runs: 1.0.1" in said
    assert "former: 0." in said
    assert (machine.root / "etc/leakear/leakear.toml").read_text() == CONFIG
    assert seq(machine) >= before


def test_a_version_that_fails_its_self_test_is_not_used(machine: Machine) -> None:
    pid = machine.sh("systemctl show leakear -p MainPID --value")
    assert "fails its self-test" in install(machine, "leakear-edge_1.0.2")
    assert "runs: 1.0.1" in machine.sh("leakear-update status")
    machine.sh("sleep 2; systemctl is-active leakear")
    assert machine.sh("systemctl show leakear -p MainPID --value") != pid  # restarted, to tell


@pytest.mark.parametrize("version", ["1.0.3", "1.0.4"], ids=["ends again and again", "is not restarted"])
def test_a_version_that_does_not_run_is_taken_back_and_told(machine: Machine, version: str) -> None:
    install(machine, f"leakear-edge_{version}")
    confirmed(machine)
    said = machine.sh("leakear-update status")
    assert "runs: 1.0.1" in said
    assert f"leakear-edge {version} was taken back" in said
    assert "it stopped" in said
    machine.until("systemctl is-active leakear", 60)
    machine.until("timeout 30 mosquitto_sub -C 1 -t leakear/test/pit/state | grep -q update_rolled_back", 90)
    assert f"{version} was taken back" in machine.journal("leakear-update")


def test_a_full_disk_stops_the_upgrade_and_not_the_node(machine: Machine) -> None:
    lib = "/usr/lib/leakear-edge"
    machine.sh(
        f"systemctl stop leakear; cp -a {lib} /tmp/lib; mount -t tmpfs -o size=600m,mode=755 tmpfs {lib}; "
        f"cp -a /tmp/lib/. {lib}; rm -rf /tmp/lib; systemctl start leakear"
    )
    machine.run(f"head -c 600M /dev/zero >{lib}/full")
    done = machine.run("dpkg -i /srv/leakear-edge_1.0.3.deb 2>&1", HANG_S)
    assert "No space left on device" in done.stdout, done.stdout
    machine.sh("systemctl is-active leakear; systemctl restart leakear; sleep 3; systemctl is-active leakear")
    assert "runs: 1.0.1" in machine.sh("leakear-update status")
    machine.sh(f"rm {lib}/full; systemctl stop leakear; cp -a {lib} /tmp/lib; umount -l {lib}")
    machine.sh(f"rm -rf {lib}; mv /tmp/lib {lib}")
    machine.sh("systemctl start leakear; dpkg --configure -a; sleep 2; systemctl is-active leakear", HANG_S)


@pytest.mark.parametrize("seconds", [0.5, 1.5, 3, 6, 12])
def test_cut_off_in_the_middle_the_node_starts_again(machine: Machine, seconds: float) -> None:
    """dpkg and its scripts are killed, then the unit: what a power cut leaves, but for the disk's own cache."""
    machine.sh("(dpkg -i /srv/leakear-edge_1.0.1.deb >/dev/null 2>&1 &)")
    machine.sh(
        f"sleep {seconds}; pkill -9 -x dpkg; pkill -9 -f [l]eakear-edge.postinst; pkill -9 -x leakear-update; true"
    )
    machine.sh("systemctl kill -s KILL leakear; systemctl restart leakear; sleep 3; systemctl is-active leakear")
    done = machine.run("dpkg -i /srv/leakear-edge_1.0.1.deb 2>&1", HANG_S)
    assert done.returncode == 0, done.stdout
    confirmed(machine)
    assert "runs: 1.0.1" in machine.sh("leakear-update status")
    assert len(machine.sh("ls /usr/lib/leakear-edge/versions").split()) <= 2


def test_by_hand_it_goes_back_and_again(machine: Machine) -> None:
    runs = machine.sh("readlink /usr/lib/leakear-edge/current")
    machine.sh("leakear-update back")
    assert machine.sh("readlink /usr/lib/leakear-edge/previous") == runs
    machine.sh("dpkg-reconfigure -f noninteractive leakear-edge", HANG_S)
    confirmed(machine)
    assert "runs: 1.0.1" in machine.sh("leakear-update status")


def test_removed_it_keeps_data_and_purged_nothing_is_left(machine: Machine) -> None:
    machine.sh("apt-get remove -y leakear-edge leakear-dashboard 2>&1", HANG_S)
    assert machine.run("systemctl is-active leakear || pgrep -f leakear-edge").returncode != 0
    machine.sh("test -e /etc/leakear/leakear.toml && test -e /var/lib/private/leakear/outbox.db")
    machine.sh("test ! -e /usr/lib/leakear-edge && test ! -e /usr/lib/leakear-dashboard")
    said = machine.sh("apt-get purge -y leakear-edge leakear-dashboard 2>&1", HANG_S)
    assert "not empty" not in said, said
    left = machine.sh(f"({FILES}) >/tmp/after; diff /tmp/before /tmp/after || true").splitlines()
    print("left behind, or gone:", [line for line in left if line[:1] in "<>"])
    assert [line for line in left if line[:1] in "<>" and "leakear" in line] == []
