"""A virtual machine whose power can be cut, or looked at as if it had been cut just now.

User-mode Linux (Debian's `linux.uml`) is a whole kernel, with a page cache, an ext4 and a disk of its own, as a process
on any Linux: its programs run at the speed of this machine, where an emulated one needs ten times as long. Its death by
SIGKILL loses every page that its kernel had not written yet. `LEAKEAR_VM=qemu` takes qemu, with `LEAKEAR_VM_ACCEL=kvm`
where that works. There the disk also loses writes that were not flushed: with `cache=unsafe` a write to a new cluster
of the overlay is found again only after a flush.
"""

import os
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.system.vm.power.disk import CACHE

BOOT_S = 600.0
"""s for a boot on a busy machine, before the test gives up"""
QEMU = os.environ.get("LEAKEAR_VM", "uml") == "qemu"
OUTSIDE = "127.0.0.1" if QEMU else "10.0.2.2"
"""where the broker listens; the guest finds it at 10.0.2.2 in both"""
TAP = "leakear-power"


def network() -> None:
    """Make the guest's line to this machine, and give it an address."""
    if QEMU or Path(f"/sys/class/net/{TAP}").exists():
        return
    for words in (f"tuntap add dev {TAP} mode tap", f"addr add {OUTSIDE}/24 dev {TAP}", f"link set {TAP} up"):
        subprocess.run(["ip", *words.split()], check=True)


def copy(image: Path, target: Path) -> None:
    """Copy an overlay; holes stay holes."""
    subprocess.run(["cp", "--sparse=always", image, target], check=True)


def uml(disk: Path, image: Path, work: str) -> list[str]:
    """Return the command of a user-mode Linux on an overlay of a disk."""
    command = ["linux.uml", "mem=768M", f"ubd0={image},{disk}", "root=/dev/ubda", "rw", "con=null", "con0=null,fd:1"]
    return [*command, "ssl=null", f"eth0=tuntap,{TAP}", "quiet", "audit=0", *([f"leakear.work={work}"] if work else [])]


def qemu(disk: Path, image: Path, work: str) -> list[str]:
    """Return the command of a qemu on an overlay of a disk."""
    if not image.exists():
        create = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(disk), "-F", "raw", str(image)]
        subprocess.run(create, check=True, capture_output=True)
    boot = CACHE / "root" / "boot"
    (kernel,), (initial,) = boot.glob("vmlinuz-*"), boot.glob("initrd.img-*")
    accel = os.environ.get("LEAKEAR_VM_ACCEL", "tcg")
    command = ["qemu-system-x86_64", "-accel", accel, "-cpu", "max", "-m", "1024", "-smp", "2", "-display", "none"]
    command += ["-no-reboot", "-monitor", "none", "-serial", "stdio", "-nic", "user,model=virtio-net-pci"]
    command += ["-drive", f"file={image},if=virtio,format=qcow2,cache=unsafe"]
    command += ["-kernel", str(kernel), "-initrd", str(initial), "-append"]
    words = "root=/dev/vda rw console=ttyS0 quiet panic=-1 mitigations=off audit=0 "
    return [*command, words + (work and f"leakear.work={work}")]


class Guest:
    """One run of the machine, until its power is cut."""

    def __init__(self, disk: Path, image: Path, work: str = "") -> None:
        self.image = image
        self.lines: list[str] = []
        # A group of its own: user-mode Linux is many processes.
        self.process = subprocess.Popen(
            (qemu if QEMU else uml)(disk, image, work), process_group=0,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def said(self, word: str) -> list[tuple[str, float]]:
        """Return what followed this word of inside.sh, each time, and the guest's seconds since its start."""
        pattern = re.compile(rf"POWER {word}(.*?) ([\d.]+)$")
        return [(m[1].strip(), float(m[2])) for line in list(self.lines) if (m := pattern.search(line))]

    def wait(self, word: str, timeout: float = BOOT_S, times: int = 1) -> float:
        """Wait until inside.sh has said a word so many times; return the guest's seconds then."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.process.poll() is None:
            if len(said := self.said(word)) >= times:
                return said[times - 1][1]
            time.sleep(0.1)
        raise AssertionError(f"no {word} within {timeout:g} s:\n" + "\n".join(self.lines[-30:]))

    def snapshot(self, target: Path) -> float:
        """Copy the disk as the machine's death at this moment would leave it; return when, in monotonic seconds here.

        A stopped process writes as little as a dead one: `same_as_killed` compares.
        """
        kernels = self._stop()
        now = time.monotonic()
        copy(self.image, target)
        for kernel in kernels:
            os.kill(kernel, signal.SIGCONT)
        return now

    def same_as_killed(self, target: Path) -> bool:
        """Cut the power in earnest; say whether the disk is then byte for byte the copy made just before."""
        self._stop()
        copy(self.image, target)
        self.cut()
        return subprocess.run(["cmp", "-s", target, self.image], check=False).returncode == 0

    def cut(self) -> None:
        """Take the power away: SIGKILL to every process of the machine."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(5)

    def _stop(self) -> list[int]:
        """Stop the machine; return its processes.

        On a busy machine a signal takes effect late: a write that still goes on while the disk is copied would make a
        copy that no moment has seen.
        """
        kernels = self._kernels()
        for kernel in kernels:
            os.kill(kernel, signal.SIGSTOP)
        for kernel in kernels:
            for thread in Path(f"/proc/{kernel}/task").iterdir():
                while (thread / "stat").read_text().rsplit(")", 1)[1].split()[0] not in "Tt":
                    time.sleep(0.005)
        return kernels

    def _kernels(self) -> list[int]:
        """Return the processes that are the machine itself; those that it traces are its programs."""
        found = []
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(FileNotFoundError, ProcessLookupError):
                pid = int(status.parent.name)
                if os.getpgid(pid) == self.process.pid and "TracerPid:\t0\n" in status.read_text():
                    found.append(pid)
        return found
