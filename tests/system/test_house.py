"""make/house, a part of `make check`: it finds names that nothing uses, and takes no use for one."""

import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).parents[2] / "make" / "house"
LEVELS = """
import logging

log = logging.getLogger(__name__)
USED_HERE, USED_BESIDE, RENAMED, LEFT_OVER = 1, 2, 3, 4


def main() -> int:
    return USED_HERE


def tested() -> None: ...


class Forgotten: ...
"""
BESIDE = """
import levels
from . import levels as sizes

log = 1
print(log, levels.USED_BESIDE, sizes.RENAMED)
"""


def test_names_without_a_use_are_found(tmp_path: Path) -> None:
    for part in ("edge", "train", "convert", "dashboard", "tests"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "module.py").write_text("def main() -> int:\n    return 0\n")
    (tmp_path / "edge" / "levels.py").write_text(LEVELS)
    (tmp_path / "edge" / "module.py").write_text(BESIDE)
    (tmp_path / "tests" / "test_levels.py").write_text("from levels import tested\n\ntested()\n")
    done = subprocess.run([sys.executable, HOUSE], cwd=tmp_path, capture_output=True, text=True, check=False)
    found = [line.split(": ")[0].split()[1] for line in done.stdout.splitlines() if line.endswith("nothing uses it")]
    assert (done.returncode, found) == (1, ["log", "LEFT_OVER", "Forgotten"]), done.stdout + done.stderr
