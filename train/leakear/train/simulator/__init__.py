"""A physically motivated simulator of leaks, water use and everything else that a sensor hears.

`Site.draw(seed)` draws a place, `clip` a labelled recording there, `day` whole days. NumPy and scipy.fft only.
Ingredients, ranges and sources: docs/SIMULATOR.md. A score on simulated sound is not field accuracy.
"""

from __future__ import annotations

import numpy as np

from leakear.train.simulator.render import Renderer
from leakear.train.simulator.scene import Label, Scene, Shorts, draw_scene
from leakear.train.simulator.site import Site
from leakear.train.simulator.units import HOP, RATE, Array

__all__ = ["RATE", "Array", "Label", "Renderer", "Scene", "Shorts", "Site", "clip", "draw_scene"]


def clip(site: Site, label: Label, seed: int, seconds: float = 10.0, snr_db: float | None = None) -> Array:
    """Make samples (seconds × 22050,) float32 in full scale ±1 of one random moment at a site.

    `Leak`: the site's leak, `snr_db` over the stationary sounds in the sensor's band (drawn, −10 to 30 dB, by
    default), and what else happens to sound. `NoLeak`: the same without it. `Use`: a tap instead.
    """
    rng = np.random.default_rng([site.seed, seed, 0xC11B])
    scene = draw_scene(site, rng, label, snr_db)
    renderer = Renderer(site, int(rng.integers(2**40)))
    start = int(rng.integers(1, 50_000))
    size = round(seconds * RATE)
    stretches = [renderer.render(start + k, scene) for k in range(-(-size // HOP))]
    return np.concatenate(stretches)[:size]
