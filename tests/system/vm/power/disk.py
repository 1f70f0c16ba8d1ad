"""The disk of a virtual node: Debian with a real systemd, and a node of 0.1 or of this version on it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.edge.remote.test_model_update import KEY, made
from tests.support.debs import changed
from tests.support.machine import mirror
from tests.support.places import DATA, ROOT

CACHE = Path(os.environ.get("LEAKEAR_CACHE", Path.home() / ".cache" / "leakear")) / "power"
COMMIT_01 = "74588d9"
PACKAGES = (
    "linux-image-amd64,kmod,systemd,systemd-sysv,udev,dbus,iproute2,procps,python3,python3-venv,libportaudio2,"
    "libstdc++6,ca-certificates,mosquitto-clients"
)
BROKEN = "import sys\n\nif '--config' in sys.argv:\n    raise SystemExit(1)\n"
"""put before cli/replay/command.py: its self-test is well, the daemon ends at once"""
CONFIG = """
[node]
site = "vm"
name = "ear"
[window]
step_s = 2
[decision]
span_s = 10
confirm_s = 4
clear_s = 10
noisy_s = 20
[mqtt]
host = "10.0.2.2"
port = {port}
[model]
path = "/srv/good.tflite"
"""
SHORT_TRIAL = 'public_key = "/srv/key.pem"\ntrial_h = 0.01\nwatch_h = 0.01\n'
"""36 s each, the shortest there is"""
UNITS = {
    "network.service": "[Unit]\nBefore=leakear.service\n[Service]\nType=oneshot\nExecStart=/srv/inside.sh network\n",
    "waiting.service": "[Unit]\nBefore=leakear.service\n[Service]\nType=oneshot\nExecStart=/srv/inside.sh waiting\n",
    "power.service": "[Service]\nExecStart=/srv/inside.sh\n",
}
WANTED = "[Install]\nWantedBy=multi-user.target\n"
UNIT = "[Service]\nReadOnlyPaths=/srv\nExecStart=\nExecStart=/srv/inside.sh node\n"
"""the drop-in of leakear.service"""
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SYSTEMD_OFFLINE": "1",
}
IDLE = [
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("e2scrub_reap.service", "serial-getty@ttyS0.service", "getty@tty1.service"),
]
"""units that cost time in an emulated machine and have nothing to do with a node"""


def root() -> Path:
    """Return Debian's files; made once, with a ramdisk that holds only the drivers of the disk."""
    place = CACHE / "root"
    if not (place / ".ready").exists():
        shutil.rmtree(place, ignore_errors=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(place)]
        subprocess.run([*command, mirror()], check=True, capture_output=True)
        (place / "etc/initramfs-tools/conf.d/small").write_text("MODULES=list\n")
        (place / "etc/initramfs-tools/modules").write_text("virtio_pci\nvirtio_blk\next4\ncrc32c_generic\n")
        subprocess.run(["chroot", place, "update-initramfs", "-u"], check=True, capture_output=True)
        (place / ".ready").touch()
    return place


def version_01() -> Path:
    """Return the tree of 0.1 with its wheels, as its installer takes them without a network."""
    tree = CACHE / "leakear-0.1"
    if not (tree / ".ready").exists():
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        packed = subprocess.run(["git", "-C", ROOT, "archive", COMMIT_01], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", tree], input=packed, check=True)
        wheels = [sys.executable, "-m", "pip", "wheel", "--quiet", f"{tree}[edge]", "-c"]
        subprocess.run([*wheels, tree / "constraints/edge.txt", "-w", tree / "wheels"], check=True)
        (tree / ".ready").touch()
    return tree


def make_disk(folder: Path, work: str, deb: Path, port: int) -> Path:
    """Return a disk with the node on which `work` begins: software (0.1) or model (this version)."""
    tree = folder / "tree"
    subprocess.run(["cp", "-a", root(), tree], check=True)
    _lay_out(tree / "srv", work, port)
    chroot = ["chroot", str(tree)]
    if work == "software":
        shutil.copytree(version_01(), tree / "old")
        install = ["/old/systemd/install", "--offline", "/old/wheels", "--no-start"]
        subprocess.run([*chroot, *install], check=True, capture_output=True, env=ENVIRONMENT)
        shutil.rmtree(tree / "old")
        number = deb.name.split("_")[1]
        changed(deb, number, folder).rename(tree / "srv/this.deb")  # the same, stored without compression
        replay = ROOT / "edge/leakear/edge/cli/replay/command.py"
        changed(deb, "9.9", folder, cli__replay__command=BROKEN + replay.read_text()).rename(tree / "srv/broken.deb")
    else:
        shutil.copy(deb, tree / "first.deb")
        subprocess.run([*chroot, "dpkg", "-i", "/first.deb"], check=True, capture_output=True, env=ENVIRONMENT)
        (tree / "first.deb").unlink()
    (tree / "etc/leakear").mkdir(exist_ok=True)
    config = CONFIG.format(port=port) + (SHORT_TRIAL if work == "model" else "")
    (tree / "etc/leakear/leakear.toml").write_text(config)
    drop_in = tree / "etc/systemd/system/leakear.service.d"
    drop_in.mkdir()
    (drop_in / "node.conf").write_text(UNIT)
    for name, text in UNITS.items():
        (tree / "etc/systemd/system" / name).write_text(text + WANTED)
    units = [*UNITS, "leakear"]
    subprocess.run([*chroot, "systemctl", "enable", *units], check=True, capture_output=True)
    subprocess.run([*chroot, "systemctl", "mask", *IDLE], check=True, capture_output=True)
    disk = folder / f"{work}.disk"
    subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-d", tree, disk, "3G"],
        check=True,
    )
    shutil.rmtree(tree)
    return disk


def _lay_out(srv: Path, work: str, port: int) -> None:
    """Write what the scripts inside need."""
    srv.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).with_name("inside.sh"), srv)
    (srv / "inside.sh").chmod(0o755)
    (srv / "port").write_text(str(port))
    noise = 0.05 * np.random.default_rng(1).standard_normal(22050 * 40)
    quiet = 1e-3 * noise[: 22050 * 20]
    sounds = {"sound": quiet if work == "model" else np.concatenate([quiet, noise[: 22050 * 20]]), "loud": noise}
    for name, samples in sounds.items():
        soundfile.write(srv / f"{name}.wav", samples, 22050)  # 0.1 and this version: events all the time
    key = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (srv / "key.pem").write_bytes(key)
    if work == "model":
        (srv / "good.tflite").write_bytes(made("good", "2026-11-22T00:00:00Z"))
    else:
        shutil.copy(DATA / "tiny.tflite", srv / "good.tflite")
