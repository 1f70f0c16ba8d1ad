"""A physical simulator of leaks, water use and other sound at a sensor.

`Site.draw(seed)` draws a site, `clip` makes a labelled recording there, `day.Day` a whole day. It needs only NumPy and
scipy.fft. Models, ranges and sources: docs/SIMULATOR.md. Accuracy on simulated sound is not field accuracy.
"""

from __future__ import annotations

import numpy as np

from leakear.train.simulator.render import Renderer
from leakear.train.simulator.scene import NIGHT_D, Label, Scene, Shorts, draw_scene, surroundings
from leakear.train.simulator.site import Site
from leakear.train.simulator.units import HOP, RATE, Array

__all__ = ["RATE", "Array", "Label", "Renderer", "Scene", "Shorts", "Site", "clip", "draw_scene"]

DATES = 1000
"""Days after the installation from which moments are drawn."""


def clip(site: Site, label: Label, seed: int, seconds: float = 10.0, snr_db: float | None = None) -> Array:
    """Make samples (seconds × 22050,) float32 in full scale ±1 of one random moment at a site.

    `Leak`: the site's leak, `snr_db` over the stationary sounds of that night in the sensor's band (by default random,
    −10 to 30 dB), together with other random sounds. `NoLeak`: the same without the leak. `Use`: a running tap instead
    of the leak.
    """
    rng = np.random.default_rng([site.seed, seed, 0xC11B])
    date = int(rng.integers(DATES))
    place = site.on(date)
    scene = draw_scene(place, rng, label, snr_db, date)
    renderer = Renderer(place, int(rng.integers(2**40)), night=surroundings(place, date + NIGHT_D))
    start = int(rng.integers(1, 50_000))
    size = round(seconds * RATE)
    stretches = [renderer.render(start + k, scene) for k in range(-(-size // HOP))]
    return np.concatenate(stretches)[:size]
