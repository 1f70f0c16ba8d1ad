"""Whether the same days give the same alerts at several gains of the sensor.

    leakear-train realdays HK BG/long --nodes 2 --gain 0 --out at/0        and at other gains: --gain -20 --out at/-20
    python -m bench.gain_days at/0 at/-20

The first folder is what the others are compared with. For each folder and node: every change of the state with its
time, by how much a time differs, and how many windows are clipped (samples at the converter's limits, or a flat top).
The change of P(leak) is given apart for windows that neither run clipped, and for the others.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from leakear.edge.decision.state_machine import DecisionRule
from leakear.edge.errors import InputDataError
from leakear.train.nodedays.outcome import share_interval
from leakear.train.nodedays.recorded_day import MEASURES, Change, RecordedDay, decide

CLIPPED = MEASURES.index("clip_ratio")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="OUT", help="folders of leakear-train realdays")
    found = [(folder.name, *read(folder)) for folder in parser.parse_args().folders]
    (first, _, reference), *_ = found
    print("| run | node | windows clipped | states | the same | times differ by |\n|---|---|---|---|---|---|")
    for name, rule, days in found:
        for node, day in days.items():
            was, now = decide(reference[node], rule), decide(day, rule)
            same = [c.state for c in was] == [c.state for c in now]
            shift = max((abs(a.utc - b.utc) / 60 for a, b in zip(was, now, strict=True)), default=0.0) if same else None
            differ = "–" if shift is None else f"{shift:.0f} min"
            share = float(np.mean(day.measures[:, CLIPPED] > 0))
            states = told(now, float(day.start_utc[0]))
            print(f"| {name} | {node} | {share:.1%} | {states} | {'yes' if same else 'no'} | {differ} |")
    for name, rule, days in found[1:]:
        for clipped, which in ((False, "not clipped"), (True, "clipped")):
            print(f"{name} and {first}, {which}: {moved(reference, days, rule, clipped)}")


def read(folder: Path) -> tuple[DecisionRule, dict[str, RecordedDay]]:
    """Return the rule of a run and its recorded nodes, by number. Raises InputDataError when there is none."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    names = [day["day"] for day in report["days"]]
    days = {name.rsplit("-", 1)[0]: RecordedDay.load(folder / "recorded" / f"{name}.npz") for name in names}
    if not days:
        raise InputDataError(f"{folder} holds no recorded day: run leakear-train realdays with --out {folder}")
    return DecisionRule(**report["rule"]), days


def told(changes: list[Change], start_utc: float) -> str:
    """Write the changes of the state with their hours from the beginning of the first day."""
    return ", ".join(f"{c.state.value} {(c.utc - start_utc) / 3600:.1f} h" for c in changes) or "OK all along"


def moved(was: dict[str, RecordedDay], now: dict[str, RecordedDay], rule: DecisionRule, clipped: bool) -> str:
    """Write by how much P(leak) of the same windows changed; windows that clip in either run, or in neither."""
    pairs = [(was[node].score, now[node].score) for node in now]
    before, after = (np.concatenate(part) for part in zip(*pairs, strict=True))
    limits = np.concatenate([np.maximum(was[n].measures[:, CLIPPED], now[n].measures[:, CLIPPED]) > 0 for n in now])
    rows = np.isfinite(before) & np.isfinite(after) & (limits == clipped)
    if not rows.any():
        return "no windows"
    alike = (before >= rule.threshold)[rows] == (after >= rule.threshold)[rows]
    low, high = share_interval(int(alike.sum()), len(alike))
    p95 = np.percentile(np.abs(after - before)[rows], 95)
    return (
        f"{len(alike)} windows, 95th percentile {p95:.3f}, decisions alike {alike.mean():.2%} ({low:.2%} to {high:.2%})"
    )


if __name__ == "__main__":
    main()
