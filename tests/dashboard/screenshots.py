"""Pictures of the page for the documents: `make screenshots`. A simulated fleet; the page, broker and browser are real.

Two days of invented history are written into the database first, as the dashboard itself would have written them.
"""

import math
import random
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from leakear.dashboard.fleet import Fleet
from leakear.dashboard.fleet.ring import Sums
from leakear.dashboard.history import History, event_row
from leakear.dashboard.history.samples import Samples
from leakear.dashboard.history.tables import open_database
from leakear.edge.messages.reports import Event, ModelRef, Spectrum, utc_now, utc_text, uuid7
from tests.support.broker import Broker
from tests.support.fake_clips import answer_with_clip
from tests.support.harness import Browser, Dashboard, FakeNode
from tests.support.places import ROOT

OUT = ROOT / "docs" / "img"
SITES = {"centro": 7, "jardim-botanico": 9, "porto": 6, "reservatorio-norte": 5, "vila-nova": 8}
MODEL = ModelRef(id="factory-2026.11", sha256="5f" * 32)
LEAK, WARNS, DEAF, SILENT, NOISY = "meter-03", "meter-05", "meter-02", "meter-04", "meter-01"
STAR = ("porto", LEAK)
"""the node whose page is shown: it leaks for three quarters of an hour"""
DAYS = 2


class Actor:
    """One node's invented life."""

    def __init__(self, site: str, name: str) -> None:
        self.site, self.name = site, name
        self.dice = random.Random(f"{site}/{name}")
        self.base = self.dice.uniform(-68, -52)
        self.flows = (site, name) == STAR or (site, name) == ("centro", WARNS)

    def hear(self, at: float, now: float) -> tuple[float, float, float]:
        """Score, level and noise floor at a time: quiet nights, use by day, and the leak."""
        hour = (at / 3600) % 24
        use = max(0.0, math.sin((hour - 5) / 19 * math.pi)) ** 2 if hour > 5 else 0.0
        tap = 1.0 if random.Random(f"{self.name} {self.site} {at // 120}").random() < 0.12 * use else 0.0
        leak = 0.5 + 0.5 * math.tanh((at - now + 2700) / 120) if self.flows else 0.0
        score = min(0.99, 0.05 + 0.08 * self.dice.random() + 0.55 * tap + 0.86 * leak)
        level = self.base + 5 * use + 9 * tap + 13 * leak + self.dice.gauss(0, 0.7)
        return score, level, self.base - 5 + 2 * use + 11 * leak


def happened(actor: Actor, at: float, before: str, after: str, seq: int, reason: str) -> Event:
    score, level, _ = actor.hear(at, at + 2700 if after == "LEAK" else at)
    return Event(
        id=uuid7(at), seq=seq, site=actor.site, node=actor.name, kind="state", from_state=before, to_state=after,
        reason=reason, window_start=utc_text(at - 10), window_end=utc_text(at), clock_synced=True,
        score=0.97 if after == "LEAK" else score, level_dbfs=level, on_fraction=0.97 if after == "LEAK" else None,
        model=MODEL, evidence=after in ("LEAK", "WARNING"),
    )  # fmt: skip


def seed(database: str, actors: list[Actor], now: float) -> None:
    """Two days of minutes for the star, an hour for the others; what happened; one verdict."""
    engine = open_database(database)
    history, samples, fleet = History(engine), Samples(engine), Fleet()
    for actor in actors:
        key = (actor.site, actor.name)
        node = fleet.node(key)
        assert node is not None
        node.last_seen = now - 5
        span = DAYS * 86400 if key == STAR else 3600
        minutes = []
        for start in range(int((now - span) // 60) * 60, int(now // 60) * 60, 60):
            sums = Sums(start)
            for second in range(0, 60, 10):
                sums.add(*actor.hear(start + second, now))
            minutes.append((key, sums))
        samples.add(minutes)
    samples.roll_up(now)
    history.save_nodes(fleet, now)
    star = next(a for a in actors if (a.site, a.name) == STAR)
    flow, sure = "on 92% of the last 30 min", "went on for 15 min after WARNING"
    events = [
        happened(star, now - 118000, "OK", "WARNING", 11, flow),
        happened(star, now - 116600, "WARNING", "OK", 12, "quiet for 10 min"),
        happened(star, now - 61000, "OK", "NOISY", 13, "only 31% of the last 10 min was judged"),
        happened(star, now - 52000, "NOISY", "OK", 14, "NOISY ended"),
        happened(star, now - 2500, "OK", "WARNING", 15, flow),
        happened(star, now - 1500, "WARNING", "LEAK", 16, sure),
    ]
    other = next(a for a in actors if (a.site, a.name) == ("vila-nova", "meter-06"))
    old = happened(other, now - 90000, "WARNING", "LEAK", 4, sure)
    history.record([event_row(e, now) for e in (*events, old)])
    judged = {"verdict": "leak", "verdict_by": "ana", "verdict_at": now - 50000, "note": "Joint replaced, 40 cm deep.",
              "material": "Metal", "acknowledged": now - 89000, "acknowledged_by": "ana"}  # fmt: skip
    history.change_event(old.id, judged)
    engine.dispose()


def perform(port: int, actors: list[Actor], stop: threading.Event, silent: tuple[str, str]) -> None:
    """Speak for all nodes every two seconds, through one connection."""
    voice = FakeNode(port, "voice", "voice")
    states = {("porto", LEAK): "LEAK", ("centro", WARNS): "WARNING", ("vila-nova", DEAF): "SENSOR_FAULT",
              ("jardim-botanico", NOISY): "NOISY"}  # fmt: skip
    began = time.time()
    while True:
        for actor in actors:
            key = (actor.site, actor.name)
            if key == silent and time.time() - began > 4:
                continue
            state = states.get(key, "OK")
            deaf = state == "SENSOR_FAULT"
            score, level, floor = (None,) * 3 if deaf else actor.hear(time.time(), began)
            report = replace(
                voice.make_state(score, level), site=actor.site, node=actor.name, state=state, noise_floor_dbfs=floor,
                faults=("no_frames",) if deaf else (), model=MODEL, firmware="1.0.0", since=utc_text(began - 1500),
                seq=16 if key == STAR else 0,
            )  # fmt: skip
            voice.client.publish(f"leakear/{actor.site}/{actor.name}/state", report.to_json(), 0)
        if stop.wait(2):
            return


def star_of(port: int) -> FakeNode:
    """The node that answers: clips and spectra."""
    node = FakeNode(port, STAR[1], STAR[0])
    content = hiss()
    node.answers = lambda name, request: answer_with_clip(name, request, content)
    return node


def hiss() -> bytes:
    """Five seconds of water out of a hole, as it were: noise about 2.5 kHz that comes and goes a little."""
    import io

    import numpy as np
    import soundfile

    noise = np.fft.rfft(np.random.default_rng(3).normal(0, 1, 5 * 22050))
    hertz = np.fft.rfftfreq(5 * 22050, 1 / 22050)
    shape = np.exp(-(((hertz - 2500) / 1300) ** 2)) + 0.5 * np.exp(-hertz / 300) + 0.01
    samples = np.fft.irfft(noise * shape) * (1 + 0.3 * np.sin(np.arange(5 * 22050) / 9000))
    out = io.BytesIO()
    soundfile.write(out, (0.3 * samples / np.abs(samples).max()).astype("float32"), 22050, format="FLAC")
    return out.getvalue()


def breathe(node: FakeNode) -> None:
    """What a healthy node says of itself."""
    node.telemetry(
        uptime_s=41 * 86400, windows_scored=3541021, windows_produced=3541187, windows_discarded=166, reconnects=7,
        real_time_factor=0.031, temperature_c=38.0, disk_free_bytes=21 << 30, rss_bytes=88 << 20,
    )  # fmt: skip


def sing(node: FakeNode, count: int) -> None:
    """Spectra of a leak, as many as the waterfall has columns."""
    dice = random.Random(7)
    for n in range(count):
        hum = 18 * math.exp(-(((n % 90) - 30) ** 2) / 40)
        db = tuple(
            round(-88 + 30 * math.exp(-((k - 17) ** 2) / 150) + hum * math.exp(-((k - 5) ** 2) / 12)
                  + 9 * math.exp(-((k - 41) ** 2) / 30) + dice.gauss(0, 1.6), 1)
            for k in range(64)
        )  # fmt: skip
        node.raw("spectrum", Spectrum(time=utc_now(), low_hz=0, high_hz=11025, db=db).to_json(), qos=0)
        time.sleep(0.004)


def look(page: Browser, name: str, theme: str, width: int = 1440, height: int = 900, scale: float = 1) -> None:
    """Set theme and size for what comes next, then take the picture."""
    wish = [{"name": "prefers-color-scheme", "value": theme}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wish})
    size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.js("document.querySelectorAll('.toast').forEach((e) => e.remove())")
    page.js("document.querySelector('.page')?.scrollTo(0, 0)")
    time.sleep(1.5)
    page.driver.save_screenshot(str(OUT / f"dashboard-{name}.png"))
    print(OUT / f"dashboard-{name}.png")


def pictures(page: Browser, url: str, star: FakeNode) -> None:
    page.open(url)
    page.text('.node[data-node="meter-04"] .badge', "Silent", timeout=60)
    look(page, "fleet-dark", "dark")
    look(page, "fleet-light", "light")
    look(page, "fleet-phone", "dark", 390, 844, 2)
    page.open(f"{url}/node/{STAR[0]}/{STAR[1]}")
    page.click(".ranges button:nth-child(3)")
    page.click("button.watch")
    until_watched(star)
    sing(star, 240)
    page.click(".entry .fetch")
    page.one('.waterfall[data-drawn="yes"]')
    look(page, "node-light", "light", 1440, 1500)
    look(page, "node-dark", "dark", 1440, 1500)
    look(page, "node-phone", "dark", 390, 844, 2)
    page.open(f"{url}/alerts")
    page.click('[data-filter="alerts"]')
    page.one(".entry")
    page.click(".entry .judge")
    look(page, "alerts-dark", "dark")
    look(page, "alerts-phone", "light", 390, 844, 2)


def until_watched(star: FakeNode) -> None:
    while not any(name == "watch" for name, _ in star.commands):
        time.sleep(0.05)


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    actors = [Actor(site, f"meter-{n + 1:02}") for site, count in SITES.items() for n in range(count)]
    with tempfile.TemporaryDirectory() as folder, Broker() as broker:
        dashboard = Dashboard(
            f"mqtt://127.0.0.1:{broker.port}", Path(folder), "--stale-after", "8", "--lost-after", "3"
        )
        seed(dashboard.database, actors, time.time())
        stop = threading.Event()
        with dashboard, star_of(broker.port) as star:
            dashboard.ready()
            breathe(star)
            fleet = threading.Thread(target=perform, args=(broker.port, actors, stop, ("reservatorio-norte", SILENT)))
            fleet.start()
            page = Browser(1440, 900)
            try:
                pictures(page, dashboard.url, star)
            finally:
                page.quit()
                stop.set()
                fleet.join()


if __name__ == "__main__":
    main()
