"""Health: faults are only what makes it impossible to hear a leak."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from leakear.edge.audio.recordings import read_blocks
from leakear.edge.fields import Declared, declared
from leakear.edge.health.measures import Measures, measure
from leakear.edge.health.monitor import FAULTS, Health, HealthMonitor, HealthOptions
from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram.short_spectra import short_powers
from leakear.edge.windows import Windower

SPEC = SpectrogramSpec()
BAND = SpectrogramSpec(band_hz=(20, 8000))
RNG = np.random.default_rng(5)
N = SPEC.window_samples
T = np.arange(N) / SPEC.sample_rate
Samples = NDArray[np.float32]


def noise(dbfs: float) -> NDArray[np.float64]:
    """White noise of a level re a full-scale sine."""
    return RNG.standard_normal(N) * 10 ** (dbfs / 20) / np.sqrt(2)


def measured(samples: NDArray[np.floating], spec: SpectrogramSpec = SPEC) -> Measures:
    heard = samples.astype(np.float32)
    return measure(heard, short_powers(heard, spec), spec)


def check(samples: NDArray[np.floating], spec: SpectrogramSpec = SPEC) -> Health:
    return HealthMonitor(HealthOptions(), spec).check(measured(samples, spec), 0.0)


def test_levels_are_referred_to_a_full_scale_sine() -> None:
    sine = np.sin(2 * np.pi * 440 * T)
    assert check(sine * 0.5).level_dbfs == pytest.approx(20 * np.log10(0.5), abs=0.01)
    heard = check(np.where(T < 5, 0.1, 0.01) * sine + 0.05)
    assert (heard.l05, heard.l95) == pytest.approx((-40, -20), abs=0.2)
    assert heard.dc == pytest.approx(0.05, abs=1e-4)


FAULTY = {
    "nan": np.where(T < 1e-4, np.nan, noise(-40)),
    "digital_silence": np.zeros(N),
    "stuck": np.full(N, 0.03),
    "clipping": np.clip(noise(0) * 3, -1, 1),
    "dc_offset": noise(-40) + 0.4,
    "mains_dominance": noise(-50) + 0.3 * np.sin(2 * np.pi * 50.02 * T) + 0.1 * np.sin(2 * np.pi * 150.06 * T),
}


@pytest.mark.parametrize("name", FAULTY)
def test_each_fault_is_named_alone(name: str) -> None:
    health = check(FAULTY[name])
    assert health.faults == (name,)
    assert not health.ok


def test_an_amplifier_that_clips_below_full_scale_is_noticed() -> None:
    assert check(np.clip(noise(-10), -0.2, 0.2)).faults == ("clipping",)


def test_dropouts_and_infinities_are_faults() -> None:
    dropouts = noise(-40)
    dropouts[(np.arange(N) // 2205) % 5 == 0] = 0
    assert check(dropouts).faults == ("digital_silence",)
    infinite = noise(-40)
    infinite[7] = np.inf
    assert check(infinite).faults == ("nan",)
    assert check(noise(-40) + 1e30).faults == ("nan",)


def lowpassed(hz: float) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(noise(-40))
    spectrum[np.fft.rfftfreq(N, 1 / SPEC.sample_rate) > hz] = 0
    return np.fft.irfft(spectrum, N)


def test_highs_are_missing_only_against_the_models_own_band() -> None:
    assert check(lowpassed(4000), BAND).faults == ("missing_highs",)
    assert check(lowpassed(4000), SPEC).ok
    assert check(lowpassed(8000), BAND).ok


def test_highs_of_the_last_week_are_missed() -> None:
    monitor = HealthMonitor(HealthOptions(), SPEC)
    wide = noise(-40)
    for hour in range(30):
        assert monitor.check(measured(wide), hour * 3600.0).ok
    assert monitor.check(measured(lowpassed(4000)), 31 * 3600.0).faults == ("missing_highs",)


def test_a_fault_that_becomes_another_one_ends() -> None:
    monitor = HealthMonitor(HealthOptions(), SPEC)
    names = ["stuck", "digital_silence", "stuck", "mains_dominance", "nan"]
    assert [monitor.check(measured(FAULTY[name]), 0.0).faults for name in names] == [(name,) for name in names]


SANE = {
    "quiet": noise(-88),
    "loud leak": noise(-14),
    "whistle": noise(-60) + 0.3 * np.sin(2 * np.pi * 2300 * T),
    "pure tone": 0.9 * np.sin(2 * np.pi * 700 * T),
    "hum under a leak": noise(-30) + 0.03 * np.sin(2 * np.pi * 100 * T),
    "quiet hum alone": noise(-80) + 0.005 * np.sin(2 * np.pi * 50 * T),
    "clicks": noise(-60) + (RNG.random(N) < 1e-4) * 0.9,
    "slow beat": noise(-40) * (1 + 0.9 * np.sin(2 * np.pi * 0.5 * T)),
    "offset of a real logger": noise(-30) + 0.073,
}


@pytest.mark.parametrize("name", SANE)
def test_sound_is_no_fault(name: str) -> None:
    assert check(SANE[name]).faults == ()


def test_a_fault_does_not_flicker_at_its_limit() -> None:
    monitor = HealthMonitor(HealthOptions(dc_offset=0.1), SPEC)
    seen = [bool(monitor.check(measured(noise(-40) + dc), 0.0).faults) for dc in (0.09, 0.11, 0.09, 0.08, 0.06, 0.09)]
    assert seen == [False, True, True, True, False, False]


def week(monitor: HealthMonitor, hours: int = 48) -> None:
    """Let the floor wander between -62 and -58 dBFS for some hours."""
    for hour in range(hours):
        assert monitor.check(measured(noise(-60 + 2 * np.sin(hour))), hour * 3600.0).ok


def test_a_lost_sensitivity_is_a_fault_and_a_leak_is_not() -> None:
    monitor = HealthMonitor(HealthOptions(), SPEC)
    week(monitor)
    assert monitor.check(measured(noise(-30)), 48 * 3600.0).ok
    leak = monitor.check(measured(noise(-30)), 50 * 3600.0)
    assert leak.ok
    assert leak.noise_floor_drift_db == pytest.approx(30, abs=3)
    deaf = monitor.check(measured(noise(-94)), 49 * 3600.0)
    assert deaf.faults == ("floor_drift",)
    assert monitor.check(measured(noise(-94)), 500 * 3600.0).faults == ("floor_drift",)  # not absorbed with time
    monitor.forget()
    assert monitor.check(measured(noise(-94)), 501 * 3600.0).ok


def hours(monitor: HealthMonitor, levels: Iterable[float], start: int = 0, *, leak_suspected: bool = False) -> set[str]:
    """Hear an hour of each level; return the faults that were named."""
    rng = np.random.default_rng(7)  # one noise, scaled: measures are what is looked at here
    unit = rng.standard_normal(N) / np.sqrt(2)
    found: set[str] = set()
    for number, level in enumerate(levels):
        found |= set(
            monitor.check(
                measured(unit * 10 ** (level / 20)), (start + number) * 3600.0, leak_suspected=leak_suspected
            ).faults
        )
    return found


def test_levels_under_suspicion_do_not_count_as_quiet() -> None:
    leaking, humming = HealthMonitor(HealthOptions(), SPEC), HealthMonitor(HealthOptions(), SPEC)
    assert hours(leaking, [-60] * 30) == set()
    assert hours(leaking, [-45] * 168, 30, leak_suspected=True) == set()
    assert hours(leaking, [-62] * 5, 198) == set(), "repaired"
    assert hours(humming, [-45] * 168) == set()
    assert hours(humming, [-62] * 5, 168) == {"floor_drift"}, "a machine that stopped, for all the node can tell"


def test_a_sensor_that_fades_is_compared_with_its_first_week() -> None:
    monitor = HealthMonitor(HealthOptions(), SPEC)
    faded = (-40 - day for day in range(40) for _ in range(24))
    assert hours(monitor, faded) == {"floor_drift"}
    saved = json.loads(json.dumps(monitor.snapshot()))
    again = HealthMonitor(HealthOptions(), SPEC)
    again.restore(saved)
    assert hours(again, [-60], 2000) == {"floor_drift"}


@pytest.mark.parametrize("level", [-88.0, -70.0])
def test_a_capsule_with_nothing_but_its_own_noise_is_lifeless_until_a_sound(level: float) -> None:
    monitor = HealthMonitor(HealthOptions(), SPEC)
    assert hours(monitor, [level] * 72) == set()
    assert hours(monitor, [level], 72) == {"lifeless"}
    knocking = noise(level) + np.where((T > 3) & (T < 5), 0.01, 0) * np.sin(2 * np.pi * 800 * T)
    assert monitor.check(measured(knocking), 73 * 3600.0).ok
    assert hours(monitor, [level] * 60, 73) == set()


def test_quiet_nights_and_steady_machines_are_not_lifeless() -> None:
    nights = [-80.0] * 30 + [-72.0] + [-80.0] * 40
    assert hours(HealthMonitor(HealthOptions(), SPEC), nights) == set()
    assert hours(HealthMonitor(HealthOptions(), SPEC), [-50.0] * 100) == set()
    assert hours(HealthMonitor(HealthOptions(lifeless_hours=0), SPEC), [-88.0] * 100) == set()


def test_a_person_accepts_the_present_floor_in_the_configuration() -> None:
    monitor = HealthMonitor(HealthOptions(), SPEC)
    assert hours(monitor, [-45] * 30 + [-62]) == {"floor_drift"}
    saved = json.loads(json.dumps(monitor.snapshot()))
    same, accepted = HealthMonitor(HealthOptions(), SPEC), HealthMonitor(HealthOptions(accepted="2026-11-22"), SPEC)
    same.restore(saved)
    accepted.restore(saved)
    assert hours(same, [-62], 40) == {"floor_drift"}
    assert hours(accepted, [-62] * 40, 40) == set()
    kept = HealthMonitor(HealthOptions(accepted="2026-11-22"), SPEC)
    kept.restore(json.loads(json.dumps(accepted.snapshot())))
    assert hours(kept, [-80], 90) == {"floor_drift"}, "what was learnt since goes on"


def test_hours_of_an_older_node_are_read() -> None:
    monitor = HealthMonitor(HealthOptions(), SPEC)
    monitor.restore({"raised": [], "hours": [[hour, -88.0, 9000.0] for hour in range(100)]})
    assert hours(monitor, [-88], 100) == set(), "how loud it was there nobody noted"
    assert hours(monitor, [-101], 101) == {"floor_drift"}


def test_faulty_windows_are_not_learned() -> None:
    monitor = HealthMonitor(HealthOptions(), SPEC)
    week(monitor)
    floor = monitor.check(measured(noise(-60)), 48 * 3600.0).noise_floor_dbfs
    monitor.check(measured(np.zeros(N)), 48 * 3600.0)
    assert monitor.check(measured(noise(-60)), 48 * 3600.0).noise_floor_dbfs == pytest.approx(floor, abs=0.5)


def test_history_and_raised_faults_survive_a_restart() -> None:
    monitor = HealthMonitor(HealthOptions(), SPEC)
    week(monitor)
    monitor.check(measured(noise(-60) + 0.16), 49 * 3600.0)
    saved = json.loads(json.dumps(monitor.snapshot()))
    again = HealthMonitor(HealthOptions(), SPEC)
    again.restore(saved)
    assert again.check(measured(noise(-60) + 0.14), 49 * 3600.0).faults == ("dc_offset",)
    assert again.check(measured(noise(-94)), 49 * 3600.0).faults == ("floor_drift",)
    with pytest.raises((ValueError, TypeError, KeyError)):
        again.restore({"hours": "nonsense"})


def test_every_fault_has_a_remedy() -> None:
    assert all(remedy and ":" in remedy for remedy in FAULTS.values())


def test_real_recordings_are_sane_but_the_one_that_saturates(hk: Path) -> None:
    with (hk / "manifest.csv").open() as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    faults = {}
    for path in paths:
        windower, monitor = Windower(SPEC, 10.0), HealthMonitor(HealthOptions(), SPEC)
        for block in read_blocks(hk / path, SPEC):
            for one in windower.push(block):
                faults.setdefault(path, set()).update(monitor.check(measured(one.samples), one.start_utc).faults)
    assert len(faults) == 60
    assert {path: found for path, found in faults.items() if found} == {
        path: {"clipping"} for path in paths if "172500" in path
    }


def test_simulated_leaks_are_sane_unless_they_reach_the_rails() -> None:
    from leakear.train.simulator import Site, clip

    for seed in range(7000, 7008):
        samples = clip(Site.draw(seed), "Leak", 0).astype(np.float32)
        rails = float(np.mean(np.abs(samples) > 0.99))
        faults = check(samples, SpectrogramSpec(reference="full-scale", band_hz=(20, 1800))).faults
        assert faults == (("clipping",) if rails > 0.001 else ()), f"site {seed}"


@pytest.mark.parametrize("declared", declared(HealthOptions), ids=lambda each: each.key)
def test_every_legal_limit_can_be_judged_by(declared: Declared) -> None:
    for limit in (declared.rule.minimum, declared.rule.maximum):
        if limit is not None:
            options = HealthOptions(**{declared.attribute: declared.kind(limit)})
            monitor = HealthMonitor(options, BAND)
            for sound in (noise(-40), np.clip(noise(20), -1, 1), np.zeros(N)):
                assert set(monitor.check(measured(sound, BAND), 0.0).faults) <= set(FAULTS)


def test_a_limit_of_zero_allows_no_clipped_sample_and_any_bandwidth() -> None:
    strict = HealthMonitor(HealthOptions(clip_ratio=0, bandwidth_ratio=0), BAND)
    assert strict.check(measured(noise(-40), BAND), 0.0).faults == ()
    once = noise(-40)
    once[100:104] = 1.0
    assert strict.check(measured(once, BAND), 0.0).faults == ("clipping",)
