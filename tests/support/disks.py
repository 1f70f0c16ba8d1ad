"""Disks that fail: fixtures for the outbox and fault tests (`tests/conftest.py` offers them to all)."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB: a few times what the node's own files need; what a test puts there fills it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def failing_card(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """An ext4 file system, and the kernel's switch that makes it fail: it turns read-only as a bad SD card's does."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("mounting an ext4 image needs root and mkfs.ext4")
    image, folder = tmp_path / "image", tmp_path / "card"
    folder.mkdir()
    image.write_bytes(bytes(4 * 2**20))
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    mounted = subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, folder], check=False)
    if mounted.returncode:
        pytest.skip("this machine has no loop devices")
    device = subprocess.run(["losetup", "-j", image, "-n", "-O", "NAME"], check=True, capture_output=True, text=True)
    yield folder, Path("/sys/fs/ext4") / Path(device.stdout.strip()).name / "trigger_fs_error"
    subprocess.run(["umount", "-l", folder], check=True)
