"""How well two recordings locate a leak: intervals, refusals, false claims and error beside plain GCC-PHAT.

    python -m bench.locate                        # fresh seeds, the tables of docs/results/locate.md
    python -m bench.locate --seeds tuning         # the seeds on which the constants were chosen
    python -m bench.locate --pairs 50             # quicker

Sound is simulated (`leakear.train.simulator.pairs`), but for the part `real`, skipped where the recordings are absent.
Every interval in brackets is a 95 % Wilson interval. A question mark: 95 % of redraws of the pairs do not agree.
"""

import argparse
import os
import pickle
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import scipy.fft
import scipy.signal
import soundfile

from leakear.dashboard.locate import Clock, Pipe, Recording, locate, pipe
from leakear.train.simulator.pairs import Case, Kind, render

SEEDS = {"tuning": 1_000, "looked-at": 900_000, "judged": 700_000, "fresh": 1_300_000}
"""first seed of each set; `judged`: by an earlier state of the code"""
MATERIALS = ("steel", "iron", "cement", "pvc", "pe")
CLOCKS = (0.0, 0.001, 0.01)
"""s, stated bound of the offset between the clocks"""
NO_LEAK: tuple[Kind, ...] = ("background", "machine", "reflection")
PARTS = ("leaks", "no-leak", "draws", "real")
LOGGER_HZ = 4096
"""Hz, rate of the real loggers"""
STEEL, PVC = (1200.0, 1300.0), (400.0, 440.0)
"""m/s, speeds stated with real recordings"""
WRONG_M = 5.0
"""m, error from which on a refusal was right"""


@dataclass(frozen=True)
class Row:
    """One pair and what was said of it."""

    case: Case
    position: float | None
    """m, claimed"""
    highest: float
    """m, what would be said without the refusal: the highest peak at the middle speed"""
    half: tuple[float, float]
    most: tuple[float, float]
    refusal: str
    phat: float
    """m, plain GCC-PHAT"""
    wall_s: float
    cpu_s: float

    @property
    def error(self) -> float:
        """m, of what is or would be said."""
        return abs((self.highest if self.position is None else self.position) - self.case.position)


def drawn(seed: int, kinds: Sequence[Kind]) -> Case:
    """Draw a pair over all materials, levels, clocks and lengths."""
    rng = np.random.default_rng([seed, 7])
    return Case.draw(
        seed,
        str(rng.choice(MATERIALS)),
        kind=kinds[int(rng.integers(len(kinds)))],
        snr_db=float(rng.uniform(-15, 20)),
        bound_s=float(rng.choice(CLOCKS)),
        drift_bound_ppm=float(rng.choice((0, 50))),
        seconds=float(rng.choice((5, 10, 20, 30))),
    )


def accepted(seed: int, material: str, length: float, tolerance: float) -> Case:
    """Draw a pair as in the acceptance: 0 to 20 dB, clocks within 1 ms, sample clocks within 50 ppm."""
    snr = float(np.random.default_rng([seed, 8]).uniform(0, 20))
    return Case.draw(
        seed, material, length=length, snr_db=snr, bound_s=0.001, drift_bound_ppm=50, speed_tolerance=tolerance
    )


def judged(case: Case) -> Row:
    """Render a pair, locate it in both ways."""
    a, b = render(case)
    described = pipe(case.stated_length, case.wall.material, speed=case.speed_range)
    recording = Recording(a, b, case.rate, Clock(case.clock.bound_s, case.clock.drift_bound_ppm))
    wall, cpu = time.perf_counter(), time.process_time()
    found = locate([recording], described)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    phat = plain_gcc_phat(a, b, case.rate, described)
    whole = (0.0, described.length)
    return Row(
        case=case,
        position=None if found.position is None else found.position.median,
        highest=phat if found.highest is None else found.highest,  # None: refused before anything was correlated
        half=found.best.half if found.best else whole,
        most=found.best.most if found.best else whole,
        refusal=found.refusal.reason if found.refusal else "",
        phat=phat,
        wall_s=wall,
        cpu_s=cpu,
    )


def plain_gcc_phat(a: np.ndarray, b: np.ndarray, rate: float, described: Pipe) -> float:
    """Position by the usual method: whole recordings, all frequencies, phase only, highest peak, middle speed."""
    size = scipy.fft.next_fast_len(2 * len(a), real=True)
    cross = np.conj(scipy.fft.rfft(a, size)) * scipy.fft.rfft(b, size)
    correlation = scipy.fft.irfft(cross / np.maximum(np.abs(cross), 1e-30), size)
    reach = int(described.longest_delay * rate)
    lags = np.r_[-reach : reach + 1]
    delay = lags[int(np.argmax(correlation[lags]))] / rate
    return float(np.clip(described.position(delay), 0, described.length))


def wilson(hits: int, of: int) -> str:
    """Share with its 95 % interval."""
    if not of:
        return "none"
    p, z = hits / of, 1.96
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z * np.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return f"{p:6.1%} [{max(middle - half, 0):.1%}, {min(middle + half, 1):.1%}]"


def holds(row: Row, interval: tuple[float, float]) -> bool:
    return interval[0] <= row.case.position <= interval[1]


def within_reach(case: Case) -> float:
    """Share of the pipe that is within `WRONG_M` of the source."""
    return (min(case.position + WRONG_M, case.length) - max(case.position - WRONG_M, 0)) / case.length


def intervals(rows: Sequence[Row]) -> None:
    """Print how often the stated intervals hold the truth, and whether refusals were right."""
    claimed = [row for row in rows if row.position is not None]
    refused = [row for row in rows if row.position is None]
    print(f"\n## Intervals and refusals: {len(rows)} pairs with a leak\n\n```")
    print(f"located {len(claimed)}, refused {len(refused)}: {dict(Counter(row.refusal for row in refused))}")
    print(f"95 % interval holds the truth: {wilson(sum(holds(r, r.most) for r in claimed), len(claimed))}")
    print(f"50 % interval holds the truth: {wilson(sum(holds(r, r.half) for r in claimed), len(claimed))}")
    right = sum(row.error > WRONG_M for row in refused)
    print(f"refused, and the error would have been over {WRONG_M:g} m: {wilson(right, len(refused))}")
    hits = [within_reach(row.case) for row in refused] or [0.0]
    print(f"    of the refused, a blind guess on the pipe would be within {WRONG_M:g} m in {np.mean(hits):.1%}")
    for reason in sorted({row.refusal for row in refused}):
        some = [row for row in refused if row.refusal == reason]
        print(f"    {reason:10} {wilson(sum(row.error > WRONG_M for row in some), len(some))} of {len(some)}")
    print(f"\n{'':28} {'located':>8} {'median width of 95 %':>21} {'holds the truth':>26}")
    groups = [(f"clocks ±{1000 * c:g} ms", lambda r, c=c: r.case.clock.bound_s == c) for c in CLOCKS]
    groups += [(m, lambda r, m=m: r.case.wall.material == m) for m in MATERIALS]
    groups += [
        (f"{low} to {low + 5} dB", lambda r, low=low: low <= r.case.snr_db < low + 5) for low in range(-15, 20, 5)
    ]
    for name, belongs in groups:
        some, whole = [r for r in claimed if belongs(r)], [r for r in rows if belongs(r)]
        width = np.median([r.most[1] - r.most[0] for r in some]) if some else np.nan
        inside = wilson(sum(holds(r, r.most) for r in some), len(some))
        print(f"{name:28} {len(some):4}/{len(whole):3} {width:19.1f} m {inside:>26}")
    print("```")


def false_claims(rows: Sequence[Row]) -> None:
    """Print how often a position is claimed without a leak."""
    print(f"\n## No leak: {len(rows)} pairs\n\n```")
    for kind in NO_LEAK:
        some = [row for row in rows if row.case.kind == kind]
        claims = sum(row.position is not None for row in some)
        reasons = dict(Counter(row.refusal for row in some if row.refusal))
        print(f"{kind:12} {claims:3} of {len(some):3} claimed {wilson(claims, len(some))}  refused: {reasons}")
    claims = sum(row.position is not None for row in rows)
    print(f"{'together':12} {claims:3} of {len(rows):3} claimed {wilson(claims, len(rows))}\n```")


def draws(name: str, within: float, rows: Sequence[Row]) -> None:
    """Print the acceptance of one pipe."""
    claimed = [row for row in rows if row.position is not None]
    near = sum(abs(row.position - row.case.position) <= within for row in claimed if row.position is not None)
    errors = [row.error for row in claimed]
    share = f"{near}/{len(rows)} {near / len(rows):4.0%}"
    print(
        f"{name:40} within {within:g} m: {share}; refused {len(rows) - len(claimed)}; "
        f"error median {np.median(errors):.2f}, 90th percentile {np.percentile(errors, 90):.2f} m"
    )


def comparison(rows: Sequence[Row]) -> None:
    """Print error beside plain GCC-PHAT on the same pairs, refused ones included, and of those located."""
    print("\n## Error beside plain GCC-PHAT, m: median / 90th percentile\n\n```")
    head = f"{'SNR, dB':>32} {'pairs':>6} {'GCC-PHAT':>15} {'ours, forced':>15}"
    print(head + f"{'located':>17} {'ours, located':>15}")
    for name, plastic in (("metal", False), ("plastic", True)):
        for bound in CLOCKS:
            for low, high in ((-15, -8), (-8, 0), (0, 10), (10, 20)):
                some = [
                    r for r in rows
                    if r.case.wall.plastic == plastic and r.case.clock.bound_s == bound and low <= r.case.snr_db < high
                ]  # fmt: skip
                if some:
                    _compare(f"{name:10} ±{1000 * bound:2g} ms {low:6} to {high:3}", some)
    for title, chosen in (
        ("below 0 dB", [r for r in rows if r.case.snr_db < 0]),
        ("from 0 dB", [r for r in rows if r.case.snr_db >= 0]),
    ):
        _compare(f"{title:32}", chosen)
    print()
    for name, plastic in (("metal", False), ("plastic", True)):
        for title, loud in (("below 0 dB", False), ("from 0 dB", True)):
            some = [r for r in rows if r.case.wall.plastic == plastic and (r.case.snr_db >= 0) == loud]
            nearer = sum(r.error < abs(r.phat - r.case.position) for r in some)
            print(f"{name:8} {title:10}  pair by pair, ours nearer: {wilson(nearer, len(some))} of {len(some)}")
    print("```")


def _compare(name: str, rows: Sequence[Row]) -> None:
    theirs = np.percentile([abs(r.phat - r.case.position) for r in rows], (50, 90))
    forced = np.percentile([r.error for r in rows], (50, 90))
    located = [r.error for r in rows if r.position is not None]
    said = "{:6.2f} /{:7.2f}".format(*np.percentile(located, (50, 90))) if located else "-"
    print(
        f"{name} {len(rows):6} {theirs[0]:6.2f} /{theirs[1]:7.2f} {forced[0]:6.2f} /{forced[1]:7.2f} "
        f"{_beside(rows):>7} {len(located):8} {said:>15}"
    )


def _beside(rows: Sequence[Row]) -> str:
    """Say where either percentile differs by over 0.1 m; with a question mark where a redraw of the pairs may undo it.

    The redraws (bootstrap) keep both errors of a pair together; 95 % of them must agree.
    """
    errors = np.array([[r.error, abs(r.phat - r.case.position)] for r in rows])
    redrawn = errors[np.random.default_rng(0).integers(len(rows), size=(2000, len(rows)))]
    ours, theirs = np.percentile(errors, (50, 90), axis=0).T
    each = np.percentile(redrawn, (50, 90), axis=1)  # (percentile, redraw, method)
    worse = np.mean(each[..., 0] > each[..., 1], axis=1)
    for name, apart, sure in (("worse", ours - theirs, worse), ("better", theirs - ours, 1 - worse)):
        if (apart > 0.1).any():
            return name if (sure[apart > 0.1] > 0.95).any() else name + "?"
    return "alike"


def speed(rows: Sequence[Row]) -> None:
    """Print the time of 30 s pairs."""
    long = [row for row in rows if row.case.seconds == 30]
    cpu, wall = [r.cpu_s for r in long], [r.wall_s for r in long]
    print(f"\n## Time of a 30 s pair ({len(long)} pairs, one core of a busy machine)\n\n```")
    print(
        f"processor: median {np.median(cpu):.2f} s, largest {max(cpu):.2f} s; wall: median {np.median(wall):.2f} s\n```"
    )


def real_sound(data: Path, draws_: int) -> None:
    """Print what is said of real recordings: pairs of unrelated loggers, and real leaks with a simulated delay."""
    rng = np.random.default_rng(18)
    leaks, dry = (sorted((data / "hk-noise-loggers").glob(f"{label}-*/*.wav")) for label in ("Leak", "NoLeak"))
    steel, pvc = (pipe(length, kind, speed=speed) for length, kind, speed in ((100, "steel", STEEL), (60, "pvc", PVC)))
    claims = Counter[str]()
    for _ in range(draws_):
        first, other = (logger(path) for path in rng.choice(np.array(leaks + dry, object), 2, replace=False))
        pair = Recording(first, other, LOGGER_HZ, Clock(0.001, 50))
        claims.update(
            name for name, one in (("steel", steel), ("pvc", pvc)) if locate([pair], one).position is not None
        )
    print("\n## Real recordings\n\n```")
    print(f"unrelated loggers, 10 s, claimed: steel {claims['steel']} of {draws_}, pvc {claims['pvc']} of {draws_}")
    for snr_db in (0, -10):
        errors, inside = [], 0
        for _ in range(draws_):
            x, speed_ = rng.uniform(5, 95), rng.uniform(*STEEL)
            found = locate([mixed(rng, leaks, dry, snr_db, (100 - 2 * x) / speed_)], steel)
            if found.position is not None:
                errors.append(abs(found.position.median - x))
                inside += found.position.most[0] <= x <= found.position.most[1]
        print(
            f"real leaks, delayed, in real backgrounds at {snr_db} dB, steel 100 m: located {len(errors)} of {draws_}, "
            f"error median {np.median(errors):.2f}, 90th percentile {np.percentile(errors, 90):.2f} m, "
            f"95 % interval holds the truth {wilson(inside, len(errors))}"
        )
    print("```")


def logger(path: Path) -> np.ndarray:
    """Read 10 s at `LOGGER_HZ`."""
    samples, rate = soundfile.read(path)
    return np.resize(scipy.signal.resample_poly(samples, LOGGER_HZ, rate) if rate != LOGGER_HZ else samples, 40000)


def mixed(
    rng: np.random.Generator, leaks: Sequence[Path], dry: Sequence[Path], snr_db: float, delay: float
) -> Recording:
    """Make a pair: one real leak at both ends, later at B, each in the background of another logger; clocks exact."""
    leak = logger(leaks[int(rng.integers(len(leaks)))])
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(len(leak), 1 / LOGGER_HZ) * delay)
    late = np.fft.irfft(np.fft.rfft(leak) * turn, len(leak))
    backgrounds = [logger(path) for path in rng.choice(np.array(dry, object), 2, replace=False)]
    gains = [10 ** (-snr_db / 20) * np.std(leak) / np.std(one) for one in backgrounds]
    a, b = (s + gain * one for s, gain, one in zip((leak, late), gains, backgrounds, strict=True))
    return Recording(a, b, LOGGER_HZ)


def kept(path: Path) -> dict[Case, Row]:
    """Read the pairs that were judged before, by the same code."""
    rows: dict[Case, Row] = {}
    if path.exists():
        with path.open("rb") as file, suppress(EOFError):
            while True:
                row = pickle.load(file)  # noqa: S301 (this program wrote it)
                rows[row.case] = row
    return rows


def main() -> None:
    """Print all tables."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--seeds", choices=SEEDS, default="fresh")
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", choices=PARTS, action="append", help="part of the tables; repeat for several")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="append each pair, and do not judge those in it again"
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of hk-noise-loggers/")
    args = parser.parse_args()
    parts, first = args.only or PARTS, SEEDS[args.seeds]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ["OMP_NUM_THREADS"] = "1"
    if "leaks" in parts:
        print(f"# Locating, simulated pairs, {args.seeds} seeds\n\nPrinted by `python -m bench.locate`.")
    with ProcessPoolExecutor(args.jobs) as pool:

        def run(make: Callable[[int], Case], start: int, count: int) -> list[Row]:
            cases = list(map(make, range(start, start + count)))
            known = kept(args.keep) if args.keep else {}
            for row in pool.map(judged, [case for case in cases if case not in known], chunksize=4):
                known[row.case] = row
                if args.keep:
                    with args.keep.open("ab") as file:
                        pickle.dump(row, file)
            return [known[case] for case in cases]

        if "leaks" in parts:
            leaks = run(partial(drawn, kinds=("leak",)), first, args.pairs)
            intervals(leaks)
            comparison(leaks)
            speed(leaks)
        if "no-leak" in parts:
            false_claims(run(partial(drawn, kinds=NO_LEAK), first + 10_000, args.pairs))
        if "draws" in parts:
            acceptance(partial(run, start=first + 20_000, count=args.draws))
    if "real" in parts and (args.data / "hk-noise-loggers").is_dir():
        real_sound(args.data, args.draws)


def acceptance(run: Callable[[Callable[[int], Case]], list[Row]]) -> None:
    """Print the acceptance on steel and PVC, with two knowledges of the speed."""
    print("\n## Steel 100 m and PVC 40 m, 0 to 20 dB, clocks ±1 ms, drifts ±50 ppm\n\n```")
    for material, length, within in (("steel", 100, 1.0), ("pvc", 40, 1.5)):
        for tolerance in (0.015, 0.04):
            make = partial(accepted, material=material, length=length, tolerance=tolerance)
            draws(f"{material} {length} m, speed known to ±{tolerance:.1%}", within, run(make))
    print("```")


if __name__ == "__main__":
    main()
