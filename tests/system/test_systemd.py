"""The node on a real systemd: installed, supervised, killed, upgraded, removed. `make test-systemd`; needs root.

One machine serves all tests, in order: each leaves it as an operator would.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.machine import Machine
from tests.support.places import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
HANG_S = 900
"""for an installation, which takes half a minute on an idle machine and ten times as long on a busy one"""

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
REPLAY = "/opt/leakear/current/bin/leakear-edge replay --config /etc/leakear/leakear.toml --speed {speed} {more} {wav}"
RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything a node needs, as wheels in one folder."""
    folder = tmp_path_factory.mktemp("wheels")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "-d",
        folder,
        "--require-hashes",
        "--only-binary",
        ":all:",
    ]
    subprocess.run([*command, "-r", ROOT / "constraints" / "edge.lock"], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def machine(wheels: Path) -> Iterator[Machine]:
    with Machine() as machine:
        subprocess.run(["cp", "-r", ROOT / "systemd", machine.root / "srv" / "systemd"], check=True)
        subprocess.run(["cp", "-r", ROOT / "constraints", machine.root / "srv" / "constraints"], check=True)
        subprocess.run(["cp", "-r", wheels, machine.root / "srv" / "wheels"], check=True)
        leak = np.concatenate([1e-5 * RNG.standard_normal(30 * 22050), 0.05 * RNG.standard_normal(270 * 22050)])
        soundfile.write(machine.root / "srv" / "leak.wav", leak, 22050)
        # A small model of the tests' own: what is tested here is the node, not how well the factory model hears.
        subprocess.run(["cp", ROOT / "tests" / "data" / "tiny.tflite", machine.root / "srv"], check=True)
        machine.sh("systemctl start mosquitto")
        yield machine


def configure(machine: Machine, text: str = CONFIG) -> None:
    (machine.root / "etc" / "leakear" / "leakear.toml").write_text(text)


def exec_start(machine: Machine, command: str | None, extra: str = "") -> None:
    """Let the unit run something else: a drop-in, as `systemctl edit` makes one."""
    folder = machine.root / "etc/systemd/system/leakear.service.d"
    folder.mkdir(exist_ok=True)
    start = f"ExecStart=\nExecStart={command}\n" if command else ""
    (folder / "test.conf").write_text(f"[Service]\nReadOnlyPaths=/srv\n{start}{extra}")
    machine.sh("systemctl daemon-reload")


def heard(machine: Machine, script: str, seconds: int = 30, topic: str = "event") -> list[dict[str, object]]:
    """Run a script with a subscriber beside it; return the messages that came."""
    listen = f"timeout {seconds} mosquitto_sub -q 1 -c -i watcher -t 'leakear/test/pit/{topic}' >/tmp/heard"
    machine.sh(f"({listen} &) ; sleep 1; {script}; sleep {seconds}", seconds + 120)
    return [json.loads(line) for line in machine.sh("cat /tmp/heard").splitlines()]


def test_dry_run_changes_nothing(machine: Machine) -> None:
    said = machine.sh("/srv/systemd/install --offline /srv/wheels --dry-run")
    assert "would install" in said
    assert "would run: install -m 644 /srv/systemd/sensor/90-leakear-sensor.rules /etc/leakear/sensor/" in said
    assert machine.run("test -e /opt/leakear || test -e /etc/leakear").returncode != 0


def test_wrong_usage_is_2(machine: Machine) -> None:
    assert machine.run("/srv/systemd/install --frobnicate").returncode == 2
    assert machine.run("/srv/systemd/install --upgrade").returncode == 2


def test_install_from_nothing_notifies_and_publishes(machine: Machine) -> None:
    said = machine.sh("/srv/systemd/install --offline /srv/wheels", HANG_S)
    assert "sensor: no sound card that can hear yet" in said
    assert "Type=notify" in machine.sh("systemctl show leakear -p Type")
    machine.sh("systemctl is-active leakear && systemctl is-enabled leakear")
    configure(machine)
    machine.sh("systemctl restart leakear")
    online = machine.sh("timeout 20 mosquitto_sub -C 1 -t 'leakear/test/pit/availability'")
    assert online.strip() == "online"
    machine.until("systemctl status leakear | grep -q 'Status: .*SENSOR_FAULT'")  # no microphone here: it says so


def test_check_sees_what_the_unit_sees(machine: Machine) -> None:
    machine.sh("install -m 600 /dev/stdin /etc/credstore/mqtt-username <<<'pit'; systemctl restart leakear; sleep 3")
    check = "leakear-edge check --json --config /etc/leakear/leakear.toml"
    found = {finding["name"]: finding for finding in json.loads(machine.run(check).stdout)["findings"]}
    assert found["unit"]["status"] == "ok"
    assert "state in /var/lib/leakear, credentials: mqtt-username" in found["unit"]["detail"]
    assert (found["model"]["status"], found["broker"]["status"]) == ("ok", "ok")
    assert "no_device, says the daemon" in found["sound"]["detail"]
    assert "sudo leakear-edge check" in machine.run(f"setpriv --reuid=65534 --clear-groups {check}").stdout
    machine.sh("chmod 600 /etc/leakear/leakear.toml")
    assert "cannot be read by the user of leakear.service" in machine.run(check).stdout
    machine.sh("chmod 644 /etc/leakear/leakear.toml; rm /etc/credstore/mqtt-username")


def test_a_model_is_taken_back_on_site_through_the_sandbox(machine: Machine) -> None:
    command = "leakear-edge rollback --config /etc/leakear/leakear.toml"
    assert "tiny" in machine.sh(f"{command} --list")
    assert machine.sh(f"{command} --model factory").startswith("factory-")
    models = json.loads(machine.sh(f"{command} --list --json"))["models"]
    assert (models[0]["use"], models[0]["id"][:8]) == ("in use", "factory-")
    machine.sh("systemctl kill -s KILL leakear")
    machine.until("systemctl is-active leakear && systemctl show leakear -p NRestarts | grep -q =1", 60)
    assert "factory-" in machine.sh(f"{command} --list | head -1")
    machine.sh("systemctl stop leakear")
    assert "when it starts the next time" in machine.sh(f"{command} --model configured --answer-within 1")
    machine.sh("systemctl start leakear")
    machine.until(f"{command} --list | head -1 | grep -q tiny", 60)


def test_installing_again_changes_nothing(machine: Machine) -> None:
    seen = "readlink /opt/leakear/current; cat /etc/leakear/leakear.toml; find /etc/leakear /etc/udev | sort"
    before = machine.sh(seen)
    assert "already installed" in machine.sh("/srv/systemd/install")
    assert machine.sh(seen) == before
    assert "/etc/leakear/sensor/90-leakear-sensor.rules" in before
    assert "udev/rules.d" not in before, "an example is not in force"


def test_installed_size_and_contents(machine: Machine) -> None:
    size = int(machine.sh("du -sm /opt/leakear | cut -f1"))
    print(f"installed: {size} MB")
    assert size <= 250
    names = machine.sh("ls /opt/leakear/current/lib/python3*/site-packages").lower()
    for heavy in ("tensorflow", "librosa", "keras", "sklearn", "matplotlib"):
        assert heavy not in names.split()


def test_exposure(machine: Machine) -> None:
    line = machine.sh("systemd-analyze security leakear --no-pager | tail -1")
    print(line)
    assert float(line.split("leakear.service:")[1].split()[0]) <= 2.0
    warnings = machine.sh("systemd-analyze verify /etc/systemd/system/leakear.service 2>&1")
    assert "leakear.service" not in warnings, warnings


def test_an_alert_from_a_recording_through_the_unit(machine: Machine) -> None:
    exec_start(machine, REPLAY.format(speed="max", more="", wav="/srv/leak.wav"), "Restart=no\n")
    events = heard(machine, "systemctl restart leakear", 15)
    exec_start(machine, None)
    assert "LEAK" in [event["to"] for event in events]


def test_kill_9_restarts_and_loses_nothing(machine: Machine) -> None:
    machine.sh("systemctl stop leakear; systemctl stop mosquitto; rm -rf /var/lib/private/leakear/*")
    exec_start(machine, REPLAY.format(speed=20, more="--repeat 100", wav="/srv/leak.wav"))
    machine.sh("systemctl restart leakear; sleep 12; systemctl kill -s KILL leakear; sleep 9")
    assert "NRestarts=1" in machine.sh("systemctl show leakear -p NRestarts")
    machine.sh("systemctl kill -s KILL leakear")
    exec_start(machine, None)
    machine.sh("systemctl stop leakear; systemctl start mosquitto")
    events = heard(machine, "systemctl start leakear", 15)
    assert "LEAK" in [event["to"] for event in events]
    numbers = [event["seq"] for event in events]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_stopped_process_is_killed_by_the_watchdog_and_restarted(machine: Machine) -> None:
    exec_start(machine, None, "WatchdogSec=5\n")
    machine.sh("systemctl restart leakear; sleep 3")
    pid = machine.sh("systemctl show leakear -p MainPID --value").strip()
    machine.sh(f"kill -STOP {pid}")
    machine.until(f"p=$(systemctl show leakear -p MainPID --value); [ $p != {pid} ] && [ $p != 0 ]", 40)
    assert "watchdog" in machine.journal().lower()
    exec_start(machine, None)


def test_a_reload_keeps_the_process_and_takes_the_threshold(machine: Machine) -> None:
    machine.sh("systemctl restart leakear; sleep 3")
    pid = machine.sh("systemctl show leakear -p MainPID --value")
    configure(machine, CONFIG + "threshold = 0.77\n")
    machine.sh("systemctl reload leakear")
    machine.until("timeout 5 mosquitto_sub -C 1 -t leakear/test/pit/state | grep -q '\"threshold\":0.77'", 20)
    configure(machine, CONFIG + "threshhold = 0.5\n")
    machine.sh("systemctl reload leakear; sleep 2")
    assert "threshhold" in machine.journal()
    assert machine.sh("systemctl show leakear -p MainPID --value") == pid
    configure(machine)


def test_a_bad_configuration_stays_down_with_78_and_one_sentence(machine: Machine) -> None:
    configure(machine, "[mqtt]\nhosst = 'x'\n")
    machine.run("systemctl restart leakear")
    machine.sh("sleep 8")
    shown = machine.sh("systemctl show leakear -p ExecMainStatus -p ActiveState -p NRestarts")
    assert "ExecMainStatus=78" in shown
    assert "ActiveState=failed" in shown
    assert "/etc/leakear/leakear.toml: [mqtt] hosst: unknown key" in machine.journal()
    assert "stays down" in machine.sh("journalctl --no-pager -o cat -n 200")
    configure(machine)


def test_a_missing_credential_is_said(machine: Machine) -> None:
    configure(machine, CONFIG.replace("[mqtt]\n", "[mqtt]\nusername = 'pit'\n"))
    machine.run("systemctl restart leakear; sleep 3")
    assert "password" in machine.journal()
    (machine.root / "etc/credstore/mqtt-password").write_text("secret\n")
    machine.sh("systemctl reset-failed leakear; systemctl restart leakear; sleep 3; systemctl is-active leakear")
    assert "secret" not in machine.sh("journalctl --no-pager -o cat")
    machine.sh("rm /etc/credstore/mqtt-password")
    configure(machine)


def test_a_full_disk_at_the_start_is_a_warning(machine: Machine) -> None:
    machine.sh("systemctl stop leakear")
    place = "/var/lib/private/leakear"
    machine.run(f"mount -t tmpfs -o size=64k tmpfs {place}; head -c 100k /dev/zero > {place}/full")
    events = heard(machine, "systemctl start leakear; systemctl is-active leakear", 8, "state")
    machine.sh("systemctl stop leakear; umount /var/lib/private/leakear; systemctl start leakear")
    assert any("outbox_disk" in event["faults"] for event in events)  # type: ignore[operator]


def test_it_starts_without_a_broker(machine: Machine) -> None:
    machine.sh("systemctl stop mosquitto; systemctl restart leakear; sleep 2; systemctl is-active leakear")
    machine.sh("systemctl start mosquitto")
    machine.until("timeout 5 mosquitto_sub -C 1 -t leakear/test/pit/availability | grep -q online", 90)


def test_the_sandboxed_unit_hears_a_microphone_and_writes_only_its_state(machine: Machine) -> None:
    """PulseAudio's null sink plays the leak; the unit records its monitor with every wall of the sandbox up."""
    machine.sh(
        "mkdir -p /run/sound && chmod 755 /run/sound && rm -rf /tmp/pulse && "
        "pulseaudio --daemonize=yes --exit-idle-time=-1 -n "
        "-L 'module-native-protocol-unix auth-anonymous=1 socket=/run/sound/native' "
        "-L 'module-null-sink sink_name=pipe' && chmod 777 /run/sound/native && "
        "PULSE_SERVER=unix:/run/sound/native pactl set-default-source pipe.monitor"
    )
    exec_start(machine, None, "Environment=PULSE_SERVER=unix:/run/sound/native HOME=/var/lib/leakear\n")
    configure(machine, CONFIG.replace("[mqtt]", '[audio]\ndevice = "pulse"\n[mqtt]'))
    machine.sh("touch /tmp/mark; sleep 1; systemctl restart leakear")
    machine.sh("(PULSE_SERVER=unix:/run/sound/native paplay --device=pipe /srv/leak.wav >/dev/null 2>&1 &) ; sleep 1")
    scored = "timeout 30 mosquitto_sub -C 1 -t leakear/test/pit/state | grep -q '\"score\":0.[0-9]'"
    machine.until(scored, 90)
    machine.sh("systemctl stop leakear; pkill pulseaudio || true")
    changed = machine.sh(
        "find / -xdev -newer /tmp/mark -type f -not -path '/proc/*' -not -path '/sys/*' -not -path '/var/log/*'"
        " -not -path '/run/*' -not -path '/tmp/*' -not -path '/var/lib/mosquitto/*' -not -path '/root/*'"
    ).split()
    print("written by the unit:", changed)
    assert changed
    assert all(path.startswith("/var/lib/private/leakear/") for path in changed), changed
    configure(machine)
    exec_start(machine, None)


def test_an_upgrade_to_a_broken_version_is_rolled_back(machine: Machine) -> None:
    machine.sh("systemctl restart leakear; sleep 2")
    before = machine.sh("readlink -f /opt/leakear/current")
    broken = machine.root / "srv" / "broken"
    subprocess.run(["cp", "-r", machine.root / "srv" / "wheels", broken], check=True)
    wheel = next(broken.glob("leakear-*.whl"))
    script = (
        "import zipfile, sys; path = sys.argv[1]; z = zipfile.ZipFile(path); "
        "items = [(i, z.read(i)) for i in z.infolist()]; z.close(); o = zipfile.ZipFile(path, 'w'); "
        "[o.writestr(i, b'raise SystemExit(1)\\n' if i.filename == sys.argv[2] else d) for i, d in items]; o.close()"
    )
    for victim in (
        "leakear/edge/spectrogram/stft.py",
        "leakear/edge/cli/run.py",
    ):  # fails its self-test; fails only as a unit
        subprocess.run(["cp", next((machine.root / "srv/wheels").glob("leakear-*.whl")), wheel], check=True)
        with zipfile.ZipFile(wheel) as packed:
            assert victim in packed.namelist()
        subprocess.run([sys.executable, "-c", script, wheel, victim], check=True)
        done = machine.run("/srv/systemd/install --upgrade --offline /srv/broken", HANG_S)
        assert done.returncode == 1, done.stdout
        assert machine.sh("readlink -f /opt/leakear/current") == before
        machine.sh("sleep 2; systemctl is-active leakear")


def test_an_upgrade_switches_over(machine: Machine) -> None:
    before = machine.sh("readlink -f /opt/leakear/current")
    machine.sh("/srv/systemd/install --upgrade --offline /srv/wheels", HANG_S)
    assert machine.sh("readlink -f /opt/leakear/current") != before
    machine.sh("systemctl is-active leakear")


def test_uninstall_keeps_data_unless_told(machine: Machine) -> None:
    machine.sh("/srv/systemd/install --uninstall")
    assert machine.run("systemctl cat leakear").returncode != 0
    assert machine.run("test -e /opt/leakear || test -e /usr/local/bin/leakear-edge").returncode != 0
    machine.sh("test -e /etc/leakear/leakear.toml && test -e /var/lib/private/leakear/outbox.db")
    machine.sh("test ! -e /etc/leakear/sensor")
    machine.sh("/srv/systemd/install --uninstall --purge")
    assert machine.run("test -e /etc/leakear || test -e /var/lib/private/leakear").returncode != 0
