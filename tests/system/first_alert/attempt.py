"""One way on one suite: typed, looked at, taken away, compared."""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import nan
from pathlib import Path

from tests.support.debs import MARKS
from tests.support.machine import Machine
from tests.support.places import ROOT
from tests.system.first_alert import page, snapshot, supply
from tests.system.first_alert.terminal import COLOUR, Terminal

ADDRESS = re.compile(r"(http://[^\s/]+)/\?token=([\w-]+)")
ASK = """import sys, urllib.request as u
ask = u.Request(sys.argv[1] + "/api/alerts", headers={"Authorization": "Bearer " + sys.argv[2]})
print(u.urlopen(ask).read().decode())"""
ALERT_S = 240.0
IDLE_S = 10
"""s in which a machine that has started settles"""
LOOKS, PAUSE_S = "| grep http", 5.0
HOME = f"/home/{supply.PERSON}"
MAY_FAIL = " check "
"""no microphone is plugged in: `check` says so and ends with 1"""


@dataclass
class Figures:
    """What came out."""

    way: str
    suite: str
    commands: int = 0
    seconds: float = nan
    """to the alert on the dashboard, downloads left out"""
    processor_s: float = nan
    """s of one core that the machine worked for it, other work on the host left out"""
    downloads_mb: float = 0.0
    left: int = 0
    """paths that differ after the removal"""
    unsaid: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class Attempt:
    """One way on one suite."""

    def __init__(self, way: str, suite: str, dist: Path, out: Path) -> None:
        self._page = page.way(way)
        self._dist, self._out = dist, out / f"{way}-{suite}"
        self._figures = Figures(way, suite, len(self._page.to_an_alert))
        self._written: list[str] = []

    def made(self) -> Figures:
        """Carry it out."""
        print(f"== {page.WAYS[self._figures.way]}, {self._figures.suite}", flush=True)
        with (
            tempfile.TemporaryDirectory(prefix="leakear-reader-") as folder,
            supply.machine(
                self._figures.suite, self._readers_files(Path(folder)), nested=self._figures.way == "image"
            ) as machine,
        ):
            machine.sh(f"find /srv/reader -type f -maxdepth 1 -exec cp -t {HOME} {{}} +; sleep {IDLE_S}")
            machine.sh(f"chown -R {supply.PERSON}: {HOME} /srv/reader")
            before, packages = snapshot.taken(machine.root), installed(machine)
            with Terminal(machine) as terminal:
                try:
                    self._to_an_alert(machine, terminal)
                except TimeoutError as error:
                    self._figures.failed.append(str(error))
                self._figures.downloads_mb = (self._wheels(terminal) + debs(machine, packages)) / 1e6
                for line in self._page.away:
                    self._typed(terminal, line)
            self._compare(machine, snapshot.between(before, snapshot.taken(machine.root)), packages)
        self._out.with_suffix(".txt").write_text("\n".join(self._written) + "\n")
        return self._figures

    def _readers_files(self, folder: Path) -> Path:
        """Lay out what the reader has before the first command: packages, wheel, images or a repository."""
        for pattern in {
            "deb": [f"deb/*+{MARKS[self._figures.suite]}_amd64.deb"],
            "wheel": ["leakear-*.whl"],
            "image": ["images/leakear-edge-amd64.tar", "images/leakear-dashboard-amd64.tar"],
        }.get(self._figures.way, []):
            if not (found := list(self._dist.glob(pattern))):
                raise SystemExit(f"{self._dist}/{pattern} is not there: make packages-wheel packages-deb images")
            for path in found:
                shutil.copy(path, folder)
        if self._figures.way == "script":
            clone = ["git", "clone", "--quiet", "--bare", "--no-hardlinks", ROOT, folder / "leakear.git"]
            subprocess.run(clone, check=True)
        self._figures.downloads_mb = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        return folder

    def _to_an_alert(self, machine: Machine, terminal: Terminal) -> None:
        spent, worked = 0.0, processor_s(machine)
        for line in self._page.to_an_alert:
            spent += self._typed(terminal, line.replace("ADDRESS", "/srv/reader/leakear.git"), LOOKS in line)
            if self._figures.failed:
                return
            if line.endswith("&"):
                began = time.monotonic()
                self._written.append(terminal.wait_for(ADDRESS.pattern, ALERT_S).strip())
                print(f"   {time.monotonic() - began:6.1f} s  until it named its address", flush=True)
                spent += time.monotonic() - began
            if self._figures.seconds != self._figures.seconds and "replay" in line:
                self._figures.seconds = spent + self._alert(machine, terminal)
                self._figures.processor_s = processor_s(machine) - worked

    def _alert(self, machine: Machine, terminal: Terminal) -> float:
        """Wait for a leak on the dashboard; return the seconds, or nan."""
        began = time.monotonic()
        if not (addresses := ADDRESS.findall(COLOUR.sub("", terminal.shown))):
            self._figures.failed.append("no dashboard has named its address")
            return nan
        ask = ["nsenter", "-t", str(machine.leader), "-n", sys.executable, "-c", ASK, *addresses[-1]]
        said = ""
        while time.monotonic() - began < ALERT_S:
            done = subprocess.run(ask, capture_output=True, text=True, check=False)
            said = done.stdout or done.stderr
            if done.returncode == 0 and re.search(r'"(WARNING|LEAK)"', said):
                self._written.append(f"[on the dashboard: {said.strip()[:600]}]")
                return time.monotonic() - began
            time.sleep(0.3)
        self._figures.failed.append(f"no alert on the dashboard: {said[-500:]}")
        return nan

    def _typed(self, terminal: Terminal, line: str, again: bool = False) -> float:
        """Type a line; `again`: as a person does when what is looked for is not there yet, each time a command more."""
        came, code, seconds = terminal.type(line)
        while again and code and seconds < ALERT_S:
            time.sleep(PAUSE_S)
            came, code, more = terminal.type(line)
            seconds += PAUSE_S + more
            self._figures.commands += 1
        self._written.append(f"$ {line}\n{came.strip()}\n[exit code {code}, {seconds:.1f} s]")
        print(f"   {seconds:6.1f} s  {line}", flush=True)
        if code and MAY_FAIL not in line:
            self._figures.failed.append(f"`{line}` ended with {code}: {came.strip()[-500:]}")
        return seconds

    def _wheels(self, terminal: Terminal) -> float:
        folder = supply.wheels(self._figures.suite)
        names = set(re.findall(r"/srv/wheels/(\S+\.whl)", terminal.shown))
        readers = self._figures.downloads_mb * 1e6
        return readers + sum((folder / name).stat().st_size for name in names if (folder / name).exists())

    def _compare(self, machine: Machine, found: list[snapshot.Difference], packages: set[str]) -> None:
        said = page.stays()
        came = sorted(one.partition("=")[0] for one in installed(machine) - packages)
        named = [name for name in came if any(fnmatchcase(name, pattern) for pattern in said)]
        owned = set(machine.sh(f"dpkg -L {' '.join(named)}").splitlines()) if named else set()
        unsaid = [one for one in snapshot.unsaid(found, said) if one.path not in owned]
        self._figures.left = len([one for one in found if one.path not in owned])
        self._figures.unsaid = [str(one) for one in unsaid]
        text = [f"packages of Debian that stay: {' '.join(came) or 'none'}"]
        text += [f"{'UNSAID' if one in unsaid else 'said  '} {one}" for one in found]
        self._out.with_suffix(".left.txt").write_text("\n".join(text) + "\n")
        print(f"   left behind: {self._figures.left} paths, {len(unsaid)} of them unsaid; {text[0]}", flush=True)


def processor_s(machine: Machine) -> float:
    """Return how many seconds of one core the machine has worked since it started."""
    return int(machine.sh("sed -n 's/^usage_usec //p' /sys/fs/cgroup/cpu.stat")) / 1e6


def installed(machine: Machine) -> set[str]:
    """Return NAME=VERSION of each installed package."""
    listed = machine.sh("dpkg-query -W -f '${db:Status-Status} ${Package}=${Version}\\n'").splitlines()
    return {line.removeprefix("installed ") for line in listed if line.startswith("installed ")}


def debs(machine: Machine, before: set[str]) -> float:
    """Return the bytes of the packages of Debian that came since."""
    new, bytes_ = installed(machine) - before, 0
    for entry in (machine.root / "srv/debian/Packages").read_text().split("\n\n"):
        found = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line and line[0] != " ")
        if f"{found.get('Package')}={found.get('Version')}" in new:
            new.discard(f"{found['Package']}={found['Version']}")
            bytes_ += int(found["Size"])
    return float(bytes_)
