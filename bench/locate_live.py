"""Leaks located by the whole chain: two daemons, mosquitto, the dashboard, its page in Chromium.

    python -m bench.locate_live                   # 8 draws of each material
    python -m bench.locate_live --draws 50        # the acceptance; about 12 minutes a material

Each draw: a simulated pipe (steel 100 m, PVC 40 m) at 0 to 20 dB, heard by two daemons through virtual microphones.
Their sample clocks run up to 50 ppm wrong, their clocks are wrong within the bound that they state (1 ms for the pair),
their drivers state the age of samples with an error. A person presses Locate on the page; the position is read there.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bench.locate import accepted, wilson
from tests.support.broker import Broker
from tests.support.harness import Browser, Dashboard, until
from tests.support.pipe_place import Draw, Place, with_ideal_clocks

PIPES = {"steel": (100.0, 1.0), "pvc": (40.0, 1.5)}
"""m: length, and error within which a leak is located"""
TOLERANCE = {"steel": 0.015, "pvc": 0.04}
"""half-width of the known range of the speed, as in `bench.locate`"""
SOUND_S = 60.0
"""s of sound, repeated"""
SETTLE_S = 90.0
"""s after which a daemon knows its samples' times well"""
CHANGE_S = 3.0
"""s until both ends hear a new leak"""
FRESH = 710_000
"""first seed"""
AT_ONCE = 4
"""pipes at a time: as many as the dashboard locates together"""


def drawn(seed: int, material: str) -> Draw:
    """Draw a pipe; its clocks are those of the daemons, not of the sound."""
    case = accepted(seed, material, PIPES[material][0], TOLERANCE[material])
    return Draw(with_ideal_clocks(case, SOUND_S), seed)


def batch(pairs: Sequence[tuple[Place, Draw]], dashboard: Dashboard, page: Browser, folder: Path) -> None:
    """Locate on some pipes at once, each by a press of the button on its page."""
    page.open(dashboard.url + "/pipes")
    for place, draw in pairs:
        place.play(draw)
        place.enter(draw, page)
    time.sleep(CHANGE_S)
    for place, _ in pairs:
        page.open(f"{dashboard.url}/pipes/{place.pipe}")
        page.click("button.locate:not(:disabled)")
        page.one(".job:not([hidden])")
    for place, draw in pairs:
        look = lambda rows: rows["locations"][0]["state"] in ("done", "failed") and rows["locations"][0]  # noqa: E731
        draw.result = dashboard.until(f"/api/pipes/{place.pipe}", look, 300)
        page.open(f"{dashboard.url}/pipes/{place.pipe}")
        draw.shown = page.one(".answer-line").get_attribute("data-position") or ""
    for path in folder.glob("*.npy"):
        path.unlink()


def line(draw: Draw) -> str:
    """One draw in words."""
    assert draw.result is not None
    found = draw.result["result"]
    said = f"{draw.result['reason_node']} {draw.result['reason']}{found.get('refusal') or ''}".strip()
    where = f"{float(draw.shown):6.2f} m, error {draw.error:5.2f} m" if draw.shown else f"no position: {said[:90]}"
    clock = f"± {1000 * found['clock_uncertainty_s']:.2f} ms" if found else ""
    case = draw.case
    return f"{case.wall.material} {draw.seed}: {case.snr_db:4.1f} dB, leak at {case.position:6.2f} m: {where} {clock}"


def report(material: str, draws: Sequence[Draw]) -> None:
    """Print what the acceptance asks for."""
    within = PIPES[material][1]
    located = [draw for draw in draws if draw.error is not None]
    right = sum(draw.error is not None and draw.error <= within for draw in draws)
    held = 0
    for draw in located:
        assert draw.result is not None
        low, high = draw.result["result"]["interval_95_m"]
        held += low <= draw.case.position <= high
    failed = sum(draw.result is not None and draw.result["state"] == "failed" for draw in draws)
    print(f"\n{material}, {len(draws)} draws: within {within} m {wilson(right, len(draws))}, {len(located)} located")
    print(f"  95 % interval holds the truth: {wilson(held, len(located))}; recordings that failed: {failed}")
    if located:
        errors = [draw.error or 0.0 for draw in located]
        print(
            f"  error: median {np.median(errors):.2f} m, 90th percentile {np.percentile(errors, 90):.2f} m", flush=True
        )


def progress(text: str) -> None:
    """Say what is being done."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser("bench.locate_live", description=__doc__)
    parser.add_argument("--draws", type=int, default=8, help="of each material")
    parser.add_argument("--materials", nargs="+", choices=PIPES, default=list(PIPES))
    parser.add_argument("--first", type=int, default=FRESH, help="first seed")
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leakear-live-")))
        broker = stack.enter_context(Broker(persistence=True))
        dashboard = stack.enter_context(Dashboard(f"mqtt://127.0.0.1:{broker.port}", folder)).ready()
        page = Browser()
        stack.callback(page.quit)
        places = [Place(number, broker.port, folder) for number in range(AT_ONCE)]
        for place in places:
            stack.callback(place.end)
        progress(f"waiting for {2 * AT_ONCE} nodes")
        until(lambda: all(place.online(dashboard) for place in places), "all nodes", 600)
        progress(f"all nodes are there; their clocks settle for {SETTLE_S:g} s")
        time.sleep(SETTLE_S)
        for material in args.materials:
            draws = [drawn(seed, material) for seed in range(args.first, args.first + args.draws)]
            for at in range(0, len(draws), AT_ONCE):
                progress(f"{material}: draws {at + 1} to {min(at + AT_ONCE, len(draws))} of {len(draws)}")
                pairs = list(zip(places, draws[at : at + AT_ONCE], strict=False))
                batch(pairs, dashboard, page, folder)
                for _, draw in pairs:
                    print(line(draw), flush=True)
            report(material, draws)


if __name__ == "__main__":
    main()
