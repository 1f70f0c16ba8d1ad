"""A calibration in the daemon of this machine, followed from a terminal that may be closed."""

import sys
import time
from pathlib import Path
from typing import Any

from leakear.edge.cli.onsite import daemon
from leakear.edge.decision.calibration import CalibrationRefused
from leakear.edge.errors import LeakearError
from leakear.edge.messages.results import CalibrateResult

LOOK_S = 5.0
"""s between two looks at how far it is."""
LINE_S = 600.0
"""s between two lines, where each stays."""


def ask(folder: Path, action: str, **values: Any) -> CalibrateResult:
    """Ask the daemon whose state is in this folder. Raises LeakearError when it refuses or does not answer."""
    answer = daemon.ask(folder, "calibrate", {"action": action, **values})
    if answer is None:
        raise LeakearError("the daemon runs, holds the microphone, and does not answer: journalctl -u leakear")
    if not answer.ok:
        raise LeakearError(answer.error or "the daemon refuses it")
    return CalibrateResult.from_json(answer.result)


def follow(folder: Path, hours: float, budget: float, again: str) -> int:
    """Start one and show how far it is, until it is ready. `again`: the command without its options, for people.

    Raises CalibrationRefused with the reason.
    """
    now = ask(folder, "start", hours=hours, false_alarms_per_week=budget)
    print("The daemon learns; this terminal may be closed. Keep the site quiet.", flush=True)
    try:
        shown = -LINE_S
        while now.phase == "learning":
            shown = _show(now, shown)
            time.sleep(LOOK_S)
            now = ask(folder, "status")
    except KeyboardInterrupt:
        print(
            f"\nThe daemon goes on learning. How far it is: {again} --status; give it up: {again} --cancel; "
            f"when it is ready: {again} --apply"
        )
        return 130
    print()
    if now.phase != "ready":
        raise CalibrationRefused(now.reason)
    print(describe(now))
    print(f"To use it: {again} --apply")
    return 0


def describe(now: CalibrateResult) -> str:
    """Say how a calibration stands."""
    if now.phase == "learning":
        return f"learning: {now.heard_s / 3600:.2f} h of quiet heard, {now.remaining_s / 3600:.2f} h to go"
    if now.threshold is None:
        return f"{now.phase}: {now.reason}"
    gate = "" if now.level_gate_dbfs is None else f", level_gate_dbfs {now.level_gate_dbfs:g}"
    return f"{now.phase}: threshold {now.threshold:g}{gate}. {now.reason}"


def _show(now: CalibrateResult, shown: float) -> float:
    """Show progress, in a terminal each line over the one before; return when a line was printed last."""
    if sys.stdout.isatty():
        print(f"\r\x1b[2K{describe(now)}", end="", flush=True)
    elif time.monotonic() - shown >= LINE_S:
        print(describe(now), flush=True)
        return time.monotonic()
    return shown
