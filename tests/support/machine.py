"""A real systemd in a container of its own: Debian of any suite booted by systemd-nspawn, as root on any Linux.

    with Machine() as machine:
        machine.sh("systemctl start leakear")

The root file system is made once by mmdebstrap and kept under the cache folder; each machine writes to an overlay that
is thrown away. A mount namespace with its own cgroup2 tree stands in for what an older host mixes up.
"""

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

import pytest

CACHE = Path(os.environ.get("LEAKEAR_CACHE", Path.home() / ".cache" / "leakear"))
PACKAGES = (
    "systemd,systemd-sysv,dbus,libpam-systemd,python3,python3-venv,iproute2,nftables,procps,mosquitto,mosquitto-clients,"
    "pulseaudio,pulseaudio-utils,libasound2-plugins,libportaudio2,ca-certificates"
)
BOOT = """
mount --make-rprivate /
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/{name}
echo $$ >/sys/fs/cgroup/{name}/cgroup.procs
exec systemd-nspawn -q -D {root} --boot --register=no --keep-unit --private-network --console=read-only -M {name} {more}
"""
NESTED = "--capability=all --system-call-filter=@keyring --system-call-filter=bpf"
"""of systemd-nspawn, for a machine in which containers are started"""
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def mirror() -> str:
    """Where this machine's own apt takes its packages from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True, check=True
    )
    return next(line for line in listed.stdout.splitlines() if "security" not in line)


def root_file_system(suite: str = "bookworm") -> Path:
    """Make the root file system once; skip where the tools or the rights are missing."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("mmdebstrap", "systemd-nspawn", "unshare", "nsenter"))):
        pytest.skip("needs root, mmdebstrap, systemd-container and util-linux")
    root = CACHE / ("systemd-root" if suite == "bookworm" else f"systemd-root-{suite}")
    if not all((root / "usr" / "sbin" / name).exists() for name in ("mosquitto", "nft")):
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={PACKAGES}", suite, str(root)]
        subprocess.run([*command, mirror()], check=True, capture_output=True)
    return root


class Machine:
    """One booted machine. `root` is its file system, seen from outside; `lower`: another root file system below it.

    `nested`: containers can be started in it; its root is a copy, for their layers cannot lie on an overlay.
    """

    def __init__(self, suite: str = "bookworm", lower: Path | None = None, *, nested: bool = False) -> None:
        self._lower = lower or root_file_system(suite)
        self._place = Path(mkdtemp(prefix="leakear-machine-"))
        self._name = f"leakear-{os.getpid()}"
        self.root = self._place / "root"
        self._nested = nested
        self.leader = 0

    def __enter__(self) -> Self:
        self._lay_root()
        (self.root / "etc" / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        boot = BOOT.format(name=self._name, root=self.root, more=NESTED if self._nested else "")
        self._process = subprocess.Popen(
            ["unshare", "-m", "bash", "-ec", boot],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.leader = self._find_leader()
        self.until("systemctl is-system-running | grep -qE 'running|degraded'", 60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if not self._nested:
            subprocess.run(["umount", "-l", self.root], check=False)
        shutil.rmtree(self._place, ignore_errors=True)

    def _lay_root(self) -> None:
        if self._nested:
            subprocess.run(["cp", "-a", self._lower, self.root], check=True)
            return
        upper, work = self._place / "upper", self._place / "work"
        for folder in (upper, work, self.root):
            folder.mkdir()
        layers = f"lowerdir={self._lower},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)

    def _find_leader(self) -> int:
        deadline = time.monotonic() + 30
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        while time.monotonic() < deadline:
            with suppress(FileNotFoundError):  # bash's own short-lived children come first
                found = children.read_text().split()
                if found and Path(f"/proc/{found[0]}/exe").readlink().name == "systemd":
                    return int(found[0])
            time.sleep(0.1)
        raise AssertionError("the container did not boot")

    def run(self, script: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a shell script inside."""
        command = ["nsenter", "-t", str(self.leader), "-a", "bash", "-c", script]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout, env=ENVIRONMENT)

    def sh(self, script: str, timeout: float = 120) -> str:
        """Run a shell script that must succeed; return what it printed."""
        done = self.run(script, timeout)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}\n{self.journal()}"
        return done.stdout

    def until(self, script: str, timeout: float = 30) -> None:
        """Wait until a shell script succeeds."""
        deadline = time.monotonic() + timeout
        while self.run(script).returncode != 0:
            assert time.monotonic() < deadline, f"not within {timeout} s: {script}\n{self.journal()}"
            time.sleep(0.3)

    def journal(self, unit: str = "leakear") -> str:
        """Return the last lines of a unit's journal."""
        return self.run(f"journalctl -u {unit} --no-pager -n 60 -o cat").stdout
