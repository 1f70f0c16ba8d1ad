"""docs/results/conversion.md, written from the figures that bench/conversion.py keeps."""

from typing import Any

from leakear.convert.quantising.quantise import MODES

QUIET = 1.5
"""load average up to which a time is taken for undisturbed"""


def page(kept: dict[str, Any]) -> str:
    """Return the Markdown page."""
    measured = [found for found in kept.values() if "refused" not in found]
    titles = {row["role"]: row["title"] for found in measured for row in found["runtimes"] if row["loads"]}
    head = ["network, mode", "KiB", "ΔAUC real (of)", "alike real", "ΔAUC sim. (of)", "alike sim.", "worst Δp"]
    head += [f"ms, {title}" for title in titles.values()] + ["RSS MB", "loads on 2.14", "conversion"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cells(key, found, titles, len(head))) + " |" for key, found in kept.items()]
    dashes = " | –" * (len(head) - 2)
    lines += [f"| {key} | not measured yet{dashes} |" for key in missing(kept)]
    return INTRODUCTION + "\n".join(lines) + "\n" + REMARKS


def missing(kept: dict[str, Any]) -> list[str]:
    """Name the rows that an interrupted run still owes."""
    networks = sorted({key.rpartition(" ")[0] for key, found in kept.items() if "made_of" in found})
    return [f"{name} {mode}" for name in networks for mode in MODES if f"{name} {mode}" not in kept]


def cells(key: str, found: dict[str, Any], titles: dict[str, str], columns: int) -> list[str]:
    """Return one line of the table."""
    if "refused" in found:
        return [key, f"not made: {found['refused']}", *("–" for _ in range(columns - 2))]
    rows = {row["role"]: row for row in found["runtimes"]}
    times = [rows.get(role, {}).get("milliseconds") for role in titles]
    legacy = rows["legacy"]["loads"]
    verdict = {True: "yes", False: "no", None: "no" if found["too_new_for_214"] else "yes by its operators"}[legacy]
    parts = [part for kind in ("real", "simulated") for part in share(found.get(kind))]
    worst = [found[kind]["probability"] for kind in ("real", "simulated") if kind in found]
    return [
        key,
        f"{found['kib']:.0f}",
        *parts,
        f"{max(worst):.3f}" if worst else "–",
        *("–" if ms is None else f"{ms:.2f}{'' if found.get('load', QUIET + 1) <= QUIET else '*'}" for ms in times),
        f"{rows['newest']['resident_mb']:.0f}",
        verdict,
        f"{found['convert_s']:.0f} s, {found['convert_peak_gib']:.1f} GiB" if "convert_s" in found else "–",
    ]


def share(part: dict[str, Any] | None) -> list[str]:
    """Return ΔAUC beside the float network's AUC, and the share decided alike with its count."""
    if part is None:
        return ["–", "–"]
    alike = part["windows"] - part["flips"]
    return [f"{part['auc_change']:+.4f} ({part['auc_float']:.3f})", f"{alike}/{part['windows']}"]


INTRODUCTION = """\
# Conversion: what each mode costs and loses

Made by `make conversion-table COMPACT=RUN REFERENCE=RUN` (bench/conversion.py). RUN of compact is that of the
shipped network, by `python -m bench.shipped_run ../shared/data RUN`; of reference that of `leakear-train fit DATA
--preset reference --batch-size 8 --copies 1 --learning-rate 1e-4 --epochs 4`. The figures are kept in conversion.json
beside this page; finished rows are not measured again. Take ratios, not times.

"""
REMARKS = """
- **real**: windows of the noise-logger recordings as heard, the held-out ones first, then training ones (the shipped
  network was trained on all of them): enough to see what quantising changes; how good the networks are is told
  elsewhere (the reference network is trained for four epochs only). **sim.**: simulated sites, never trained on; a
  figure on simulated sound is not field accuracy.
- **ΔAUC**: AUC of the converted network less that of the float one (in brackets) over the same windows. **alike**:
  windows on which both decide alike, each at its own threshold (the converted one's fitted on the calibration set).
  **worst Δp**: the largest difference of P(leak). 200 simulated windows for the compact network and the 87
  that the recordings hold; 60 of each kind for the reference, fewer where its inference was slow.
- **ms**: one inference, one thread, median of 20 (or of as many as 20 seconds hold), spectrogram not included;
  \\*: other work ran on the machine at the same time, so that only the order of magnitude counts; on a free one
  `bench/conversion.py --times` measures all times again. **RSS**: Python, numpy, LiteRT and the model in a process
  of their own. **conversion**: time, beside other work, and peak memory of the converting process.
- int8-io differs from int8 only in that the node writes integers; int16x8 has no fast kernels.
"""
