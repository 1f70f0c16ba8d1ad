"""From nothing to a first alert on a dashboard, and away again, by the commands of INSTALL.md, as typed.

    python -m tests.system.first_alert --way deb --suite trixie     (root; make test-first-alert: all ways, both suites)

A bare Debian boots without a network; what its commands download lies beside it (supply.py) and is counted in MB, not
in seconds. Fails when a way takes more than ten commands or five minutes, when a command fails, when no alert stands on
the dashboard, or when something is left behind that "What stays" of the page does not name. OUT gets transcripts, what
was left behind, and the figures.
"""

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.places import ROOT
from tests.system.first_alert import page
from tests.system.first_alert.attempt import Attempt, Figures
from tests.system.first_alert.supply import PYTHONS

COMMANDS, SECONDS = 10, 300.0


def main() -> int:
    """Try each way on each suite; print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--way", choices=page.WAYS, action="append", help="default: all")
    parser.add_argument("--suite", choices=PYTHONS, action="append", help="default: both")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="folder with deb, images and the wheel (dist)")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "first-alert", help="default runs/first-alert")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    wrong = []
    for way in args.way or page.WAYS:
        for suite in args.suite or PYTHONS:
            found = Attempt(way, suite, args.dist, args.out).made()
            write(args.out, found)
            wrong += [f"{way} on {suite}: {what}" for what in against(found)]
    print(table(args.out))
    print(*wrong, sep="\n")
    return 1 if wrong else 0


def against(found: Figures) -> list[str]:
    """Return what is not as it must be."""
    wrong = list(found.failed)
    if found.commands > COMMANDS:
        wrong.append(f"{found.commands} commands, {COMMANDS} are allowed")
    if found.seconds > SECONDS:
        wrong.append(f"{found.seconds:.0f} s to the alert, {SECONDS:.0f} are allowed")
    return wrong + [f"left behind, and the page does not say so: {one}" for one in found.unsaid]


def write(out: Path, found: Figures) -> None:
    """Keep the figures beside those of other attempts."""
    path = out / "figures.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    kept[f"{found.way} {found.suite}"] = {
        **vars(found), "load": os.getloadavg()[0], "when": time.strftime("%Y-%m-%d %H:%M")
    }  # fmt: skip
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def table(out: Path) -> str:
    """Return the figures of all attempts that were kept."""
    names = ("way", "Debian", "commands", "s to the alert", "of it processor", "downloads, MB", "left behind", "load")
    head = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    rows = [row(one) for one in json.loads((out / "figures.json").read_text()).values()]
    return "\n".join([*head, *rows])


def row(one: dict[str, Any]) -> str:
    """Return one line of the table."""
    seconds = "no alert" if math.isnan(one["seconds"]) else f"{one['seconds']:.0f}"
    figures = (one["suite"], one["commands"], seconds, f"{one['processor_s']:.0f}", f"{one['downloads_mb']:.0f}")
    left = f"{one['left']} paths, {len(one['unsaid'])} unsaid"
    return f"| {' | '.join(map(str, (page.WAYS[one['way']], *figures, left, round(one['load'], 1))))} |"


if __name__ == "__main__":
    sys.exit(main())
