"""What share of lasting rises the night rule finds, at a stated number of false alarms, beside single-night margins.

Histories have the statistics of real loggers (`night_histories`, whose table is printed first). Every constant of the
rule was chosen on seeds 1000 to 1003 (`--tune`); it is judged on seeds from 5000 on.

    python bench/nights.py                      the tables of docs/NIGHTS.md (about a minute)
    python bench/nights.py --json figures.json
    python bench/nights.py --tune               the figures of dashboard/nights/budget.py
"""

import argparse
import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from night_histories import Levels, Place, histories, table
from numpy.typing import NDArray

from leakear.dashboard.nights.budget import FACTORS, KNOWN
from leakear.dashboard.nights.rises import RULES, outlooks
from leakear.edge.background.night_rule import Margins, follow

TUNED_ON, JUDGED_ON = range(1000, 1004), range(5000, 5004)
LOGGERS, NIGHTS = 3000, 130
KNOWN_NIGHTS = (14, 28, 56, 90)
"""nights known before the rise begins"""
RISES_DB = (3, 6, 10)
WITHIN = (3, 7)
BUDGETS = (0.3, 1.0, 3.0)
Flags = NDArray[np.bool_]


def interval(found: int, tried: int) -> tuple[float, float]:
    """Wilson's interval of a share, 95 %."""
    if not tried:
        return 0.0, 1.0
    z, share = 1.96, found / tried
    middle, half = share + z * z / (2 * tried), z * math.sqrt(share * (1 - share) / tried + z * z / (4 * tried**2))
    return (middle - half) / (1 + z * z / tried), (middle + half) / (1 + z * z / tried)


def lasting(levels: Levels, budget: float) -> Flags:
    """Nights at which the rule says that a rise lasts, shape (loggers, nights)."""
    flags = np.zeros(levels.shape, bool)
    for row, outlook in enumerate(outlooks(levels, budget)):
        for rise in outlook.rises:
            flags[row, rise.noticed : rise.last + 1] = True
    return flags


def single(levels: Levels, margin: float, known: int = 14) -> Flags:
    """Nights that stand above all of the `known` nights before by more than a margin, as people start."""
    windows = np.lib.stride_tricks.sliding_window_view(levels, known, axis=1).max(axis=-1)
    flags = np.zeros(levels.shape, bool)
    flags[:, known:] = levels[:, known:] > windows[:, :-1] + margin
    return flags


def false_alarms(flags: Flags, first: int) -> tuple[int, float]:
    """Alarms that begin from night `first` on, and the logger-years without one running."""
    before = flags[:, first - 1 : -1]
    return int((flags[:, first:] & ~before).sum()), float((~before).sum()) / 365


def tune() -> None:
    """Print false alarms a logger-year of each rule, by factor and nights known."""
    edges = [*KNOWN, 92]
    for costs in RULES:
        print(f"{costs.rule}: rows are factors, columns nights known from {KNOWN} on")
        for factor in FACTORS:
            counts = np.zeros((len(KNOWN), 2))
            for seed in TUNED_ON:
                levels = histories(np.random.default_rng(seed), 4000, NIGHTS)
                found = follow(levels, costs.rule, Margins(float(factor)), step=1.0)
                before = np.pad(found.lasting[:, :-1], ((0, 0), (1, 0)))
                for column, (low, high) in enumerate(itertools.pairwise(edges)):
                    mine = (found.known >= low) & (found.known < high) & ~before
                    counts[column] += (found.lasting & mine).sum(), mine.sum()
            print(f"{factor:6.2f}", *(f"{365 * a / max(n, 1):8.3f} ({a:.0f})" for a, n in counts))


def judge() -> dict[str, object]:
    """Count false alarms and found rises on the judging seeds."""
    quiet = [histories(np.random.default_rng(seed), LOGGERS, NIGHTS) for seed in JUDGED_ON]
    figures: dict[str, object] = {"table": table(np.concatenate([levels[:, :71] for levels in quiet]))}
    alarms = {}
    for budget in BUDGETS:
        for name, first, last in (
            ("all", 10, NIGHTS),
            *((f"{known} known", known, known + 14) for known in (14, 28, 60)),
        ):
            counts = [false_alarms(lasting(levels, budget)[:, :last], first) for levels in quiet]
            alarms[f"{budget:g} {name}"] = (sum(a for a, _ in counts), sum(years for _, years in counts))
    level = histories(np.random.default_rng(JUDGED_ON[0]), LOGGERS, NIGHTS, Place(trend=0.0))
    alarms["1 no trend"] = false_alarms(lasting(level, 1.0), 10)
    figures["false alarms"] = alarms
    figures["found"] = {
        f"{known} {rise} {budget:g}": found(quiet, known, rise, lambda levels, b=budget: lasting(levels, b))
        for budget in BUDGETS for known in KNOWN_NIGHTS for rise in RISES_DB if budget == 1 or known == 56
    }  # fmt: skip
    figures["single"] = {margin: against_single(quiet, margin) for margin in (0, 1, 2, 3, 6, 10, 15, 20, 25)}
    return figures


def found(quiet: list[Levels], known: int, rise: float, rule: Callable[[Levels], Flags]) -> dict[str, object]:
    """Share of loggers without an alarm before a rise that have one within so many nights of it."""
    hits, tried = dict.fromkeys(WITHIN, 0), 0
    for levels in quiet:
        risen = levels[:, : known + max(WITHIN)].copy()
        risen[:, known:] += rise
        flags = rule(risen)
        calm = ~flags[:, known - 1]
        tried += int(calm.sum())
        for nights in WITHIN:
            hits[nights] += int(flags[calm, known : known + nights].any(axis=1).sum())
    return {str(nights): (hits[nights], tried) for nights in WITHIN}


def against_single(quiet: list[Levels], margin: float) -> dict[str, object]:
    """Return the same counts for a single night above the 14 before it."""
    counts = [false_alarms(single(levels, margin), 14) for levels in quiet]
    rises = {str(rise): found(quiet, 56, rise, lambda levels: single(levels, margin)) for rise in RISES_DB}
    return {"false alarms": (sum(a for a, _ in counts), sum(years for _, years in counts)), "found": rises}


def since_errors(quiet: list[Levels], known: int = 56, rise: float = 6.0) -> list[int]:
    """Nights by which "since" is off, of rises found within a week."""
    errors = []
    for levels in quiet:
        risen = levels[:, : known + max(WITHIN)].copy()
        risen[:, known:] += rise
        errors += [o.now.since - known for o in outlooks(risen) if o.now is not None and o.now.noticed >= known]
    return errors


def share(pair: tuple[int, int]) -> str:
    """Write a share with its interval, %."""
    low, high = interval(*pair)
    return f"{100 * pair[0] / max(pair[1], 1):5.1f} ({100 * low:.1f} to {100 * high:.1f})"


def report(figures: dict) -> None:  # type: ignore[type-arg]
    """Print the tables."""
    print(figures["table"], "\n\nfalse alarms a logger-year: budget, nights known → measured")
    for name, (count, years) in figures["false alarms"].items():
        print(f"  {name:>14}: {count / years:.2f} ({count} in {years:.0f} logger-years)")
    print("\nlasting rises found, % (95 % interval): nights known, rise dB, budget → within 3 nights, within 7 nights")
    for name, hits in figures["found"].items():
        print(f"  {name:>10}:", share(hits["3"]), " ", share(hits["7"]))
    print("\na single night above the 14 before by a margin (56 known) → false alarms a year; 3, 6 dB in 3; in 7")
    for margin, one in figures["single"].items():
        count, years = one["false alarms"]
        hits = [one["found"][str(rise)][str(nights)] for nights in WITHIN for rise in (3, 6)]
        print(f"  {margin:>4}: {count / years:6.2f}  ", "  ".join(map(share, hits)))
    errors = np.array(figures["since"])
    off = [f"{100 * (np.abs(errors) <= nights).mean():.0f} % within {nights}" for nights in (0, 1, 3)]
    print(f"\nsince, nights off (6 dB, 56 known, {len(errors)} rises): {', '.join(off)}")


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true", help="print the figures of budget.py instead")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the counts as JSON")
    args = parser.parse_args()
    if args.tune:
        tune()
        return
    figures = judge()
    figures["since"] = since_errors([histories(np.random.default_rng(seed), 1000, NIGHTS) for seed in JUDGED_ON])
    if args.json:
        args.json.write_text(json.dumps(figures))
    report(figures)


if __name__ == "__main__":
    main()
