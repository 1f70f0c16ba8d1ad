"""A place changes with time, its sensor and machines too, and days of one seed are one history."""

import numpy as np

from leakear.train.simulator import Site
from leakear.train.simulator.day import Day
from leakear.train.simulator.units import HOP, frequencies
from leakear.train.simulator.variation.variation import ANCHORS


def test_surroundings_change_slowly_and_in_spectrum() -> None:
    variation = Site.draw(3).variation
    days = 100 + np.arange(0, 30, 1 / 24)
    shape = variation.shape_db(days)
    assert shape.shape == (720, ANCHORS)
    soon = np.median(np.abs(variation.shape_db(days + 1 / 1440) - shape))
    later = np.median(np.abs(variation.shape_db(days + 200) - shape))
    assert soon < 2 < later


def test_the_curve_passes_through_the_anchors() -> None:
    variation = Site.draw(3).variation
    curve = 10 * np.log10(variation.curve(frequencies(), np.arange(ANCHORS, dtype=float)))
    assert np.all(np.diff(curve) >= -1e-4)
    assert curve[-1] == np.float32(curve.max())


def test_machines_are_off_for_days_replaced_louder_and_faster() -> None:
    site = next(site for site in map(Site.draw, range(50)) if len(site.machines) > 1)
    seen = [site.on(date).machines[0] for date in range(0, 600, 3)]
    assert len({machine.noise_dbfs for machine in seen if machine.on_s}) > 50
    assert len({machine.tones[0].hz for machine in seen if machine.on_s}) > 50 or site.machines[0].kind == "transformer"
    nightly = [site.on(date).machines[-1] for date in range(600)]
    assert all(machine.nightly for machine in nightly)
    assert 0 < np.mean([machine.on_s > 0 for machine in nightly]) < 0.5


def test_a_sensor_that_was_knocked_has_another_response() -> None:
    mounts = [tuple(Site.draw(5).variation.mount_db(date)) for date in range(1500)]
    assert not any(mounts[0])
    assert len(set(mounts)) > 1


def test_days_of_one_seed_follow_each_other_without_a_step() -> None:
    site = Site.draw(11)
    first, second = (Day(site, 1, leak=False, date=date) for date in (40, 41))
    last = first.scene(first.stretches - 1)
    begun = second.scene(0)
    assert abs(last.ambient_db - begun.ambient_db) < 2
    assert max(abs(a - b) for a, b in zip(last.shape_db, begun.shape_db, strict=True)) < 8
    assert Day(site, 1, leak=False).date == Day(site, 1, leak=True).date
    assert first.render(3).shape == (HOP,)
