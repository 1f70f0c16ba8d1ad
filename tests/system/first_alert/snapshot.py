"""What stands on a file system, and what two moments differ by."""

import hashlib
import os
import stat
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

NO_DISK = ("dev", "proc", "run", "srv", "sys", "tmp")
"""srv is the test's own"""


def taken(root: Path) -> dict[str, str]:
    """Return path → kind, rights, owner and contents of everything."""
    found: dict[str, str] = {}
    for place, folders, files in os.walk(root):
        if Path(place) == root:
            folders[:] = [name for name in folders if name not in NO_DISK]
        for name in (*folders, *files):
            path = Path(place) / name
            found["/" + str(path.relative_to(root))] = _described(path)
    return found


def _described(path: Path) -> str:
    try:
        seen = path.lstat()
        kind = stat.filemode(seen.st_mode)
        match kind[0]:
            case "-":
                what = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            case "l":
                what = str(path.readlink())
            case _:
                what = ""
    except FileNotFoundError:
        return "gone meanwhile"
    return f"{kind} {seen.st_uid}:{seen.st_gid} {what}"


@dataclass(frozen=True)
class Difference:
    """One path that is not as before."""

    mark: str
    """+ new, - gone, ~ changed"""
    path: str
    seen: str

    def __str__(self) -> str:
        return f"{self.mark} {self.path}  ({self.seen})"


def between(before: dict[str, str], after: dict[str, str]) -> list[Difference]:
    """Return what is new, gone or changed, by path; of a new folder only itself."""
    found = []
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            if str(Path(path).parent) in before or str(Path(path).parent) == "/":
                found.append(Difference("+", path, after[path]))
        elif path not in after:
            found.append(Difference("-", path, before[path]))
        elif before[path] != after[path]:
            found.append(Difference("~", path, f"{before[path]} → {after[path]}"))
    return found


def unsaid(differences: list[Difference], said: list[str]) -> list[Difference]:
    """Return what no pattern covers. A pattern that ends with / covers all that is below it."""
    patterns = [f"{one}*" if one.endswith("/") else one for one in said]
    return [one for one in differences if not any(fnmatchcase(one.path, pattern) for pattern in patterns)]
