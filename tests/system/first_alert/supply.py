"""A bare Debian without a network; beside it what its commands would download: fetched before, to be counted apart.

The downloads are a folder of Debian packages that apt reads as its only source, and a folder of wheels that pip reads
as its only index. Both are kept under the cache folder.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.machine import CACHE, Machine, mirror
from tests.support.places import ROOT

BARE = "systemd,systemd-sysv,dbus,libpam-systemd,apt,sudo,procps,iproute2,nano,less,python3,ca-certificates,openssl"
"""what is there before the first command, beside the essential packages: the Python of Debian's standard system"""
ASKED = ("git", "libportaudio2", "mosquitto", "podman", "python3-venv")
"""what the commands of docs/INSTALL.md install; packages that these recommend come too"""
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
GLIBC = ("manylinux2014", "manylinux_2_17", "manylinux_2_26", "manylinux_2_27", "manylinux_2_28", "manylinux_2_34")
PERSON = "ana"
SOURCE = "deb [trusted=yes] file:/srv/debian ./\n"
CONTAINERS = """[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
"""
"""of podman: not every host of these machines has the controllers that its limits need"""
INDEX = "[global]\nno-index = true\nfind-links = /srv/wheels\n"


def bare_root(suite: str) -> Path:
    """Make the root file system of the machine once."""
    root = CACHE / f"bare-root-{suite}"
    if not (root / "usr/bin/sudo").exists():
        shutil.rmtree(root, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={BARE}", suite, str(root)]
        subprocess.run([*command, mirror()], check=True)
    return root


def debian_packages(suite: str) -> Path:
    """Download once what apt will be asked for, with all that it needs; return the folder, an apt source."""
    folder = CACHE / f"bare-debian-{suite}"
    if (folder / "Packages").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with layered(bare_root(suite)) as root:
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        apt = ["chroot", root, "apt-get", "-qq", "-y"]
        subprocess.run([*apt, "update"], check=True)
        for name in (*ASKED, " ".join(ASKED)):  # alone and together: what satisfies an alternative may differ
            subprocess.run([*apt, "--download-only", "install", *name.split()], check=True, stdout=subprocess.DEVNULL)
        for path in (root / "var/cache/apt/archives").glob("*.deb"):
            shutil.copy(path, folder)
    listed = subprocess.run(["dpkg-scanpackages", "-m", "."], cwd=folder, check=True, capture_output=True, text=True)
    (folder / "Packages").write_text(listed.stdout)
    return folder


@contextmanager
def layered(lower: Path) -> Iterator[Path]:
    """Yield a root file system that can be written to and is thrown away."""
    place = CACHE / f"layer-{os.getpid()}"
    parts = {name: place / name for name in ("upper", "work", "root")}
    for folder in parts.values():
        folder.mkdir(parents=True)
    layers = f"lowerdir={lower},upperdir={parts['upper']},workdir={parts['work']}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, parts["root"]], check=True)
    try:
        yield parts["root"]
    finally:
        subprocess.run(["umount", parts["root"]], check=True)
        shutil.rmtree(place)


def wheels(suite: str) -> Path:
    """Download once what pip will be asked for: the locked files of node, dashboard and build tools."""
    folder, python = CACHE / f"bare-wheels-{suite}", PYTHONS[suite]
    stamp = folder / ".complete"
    locks = [ROOT / "constraints" / f"{name}.lock" for name in ("edge", "dashboard", "build")]
    now = "".join(path.read_text() for path in locks)
    if stamp.exists() and stamp.read_text() == now:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for lock in locks:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary", ":all:", "--python-version", python, "--implementation", "cp"]
        command += [word for tag in GLIBC for word in ("--platform", f"{tag}_x86_64")]
        subprocess.run([*command, "-d", folder, "-r", lock], check=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", folder, "editables"]
    subprocess.run([*command, "-c", ROOT / "constraints/workstation.txt"], check=True)  # what `pip install -e` needs
    stamp.write_text(now)
    return folder


@contextmanager
def machine(suite: str, reader: Path, *, nested: bool) -> Iterator[Machine]:
    """Yield the booted machine with a person who may use sudo. `reader`: what goes to /srv/reader."""
    with Machine(suite, lower=bare_root(suite), nested=nested) as machine:
        for name, folder in {"debian": debian_packages(suite), "wheels": wheels(suite), "reader": reader}.items():
            shutil.copytree(folder, machine.root / "srv" / name)
        if nested:
            place = machine.root / "etc/containers/containers.conf.d"
            place.mkdir(parents=True)
            (place / "host.conf").write_text(CONTAINERS)
        for path in (machine.root / "etc/apt").glob("sources.list*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (machine.root / "etc/apt/sources.list").write_text(SOURCE)
        (machine.root / "etc/pip.conf").write_text(INDEX)
        (machine.root / "etc/sudoers.d" / PERSON).write_text(f"{PERSON} ALL=(ALL) NOPASSWD: ALL\n")
        name = machine.sh("cat /proc/sys/kernel/hostname").strip()
        (machine.root / "etc/hosts").write_text(f"127.0.0.1 localhost {name}\n::1 localhost\n")
        machine.sh(f"useradd --create-home --shell /bin/bash {PERSON}; chmod -R a+rX /srv; apt-get -qq update")
        yield machine
