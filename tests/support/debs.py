"""Debian packages for tests: those of `make packages-deb`, or built here; and changed ones, to upgrade to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT

MARKS = {"bookworm": "deb12", "trixie": "deb13"}
"""suite → mark of its packages in their version"""


def packages(suite: str, processor: str, folder: Path) -> dict[str, Path]:
    """Return edge and dashboard → package. `LEAKEAR_DEB` names the folder of `make packages-deb`."""
    mark = MARKS[suite]
    built = Path(os.environ.get("LEAKEAR_DEB", folder))
    if not list(built.glob(f"*+{mark}_{processor}.deb")):
        if shutil.which("dh") is None or shutil.which("dpkg-buildpackage") is None:
            pytest.skip("needs debhelper and dpkg-dev")
        command = [sys.executable, ROOT / "packaging" / "build-deb", "--suite", suite, "--arch", processor]
        subprocess.run([*command, "--out", built], check=True, env={**os.environ, "XZ_LEVEL": "0"})
    return {part: next(built.glob(f"leakear-{part}_*+{mark}_{processor}.deb")) for part in ("edge", "dashboard")}


def changed(deb: Path, version: str, out: Path, **files: str) -> Path:
    """Pack a package anew under another version. `files`: path below leakear/edge, `__` for `/` → its new text."""
    place = out / f"work-{version}"
    subprocess.run(["dpkg-deb", "-R", deb, place], check=True)
    control = place / "DEBIAN" / "control"
    lines = [
        f"Version: {version}" if line.startswith("Version:") else line for line in control.read_text().splitlines()
    ]
    control.write_text("\n".join(lines) + "\n")
    for name, text in files.items():
        path = next(place.glob("usr/lib/leakear-*/package/lib/leakear/edge")) / f"{name.replace('__', '/')}.py"
        assert path.exists()
        path.write_text(text)
    packed = out / f"leakear-edge_{version}.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--root-owner-group", "-b", place, packed], check=True, capture_output=True)
    shutil.rmtree(place)
    return packed
