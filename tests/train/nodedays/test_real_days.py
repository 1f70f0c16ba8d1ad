"""Days strung from recordings: without seams, reproducible, with leaks at the level that is stated."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile

from leakear.edge.decision.rule import DecisionRule
from leakear.edge.errors import InputDataError
from leakear.train.cli import PROGRAM
from leakear.train.nodedays import report
from leakear.train.nodedays.grains import Grains
from leakear.train.nodedays.places import Role, load
from leakear.train.nodedays.real_days import RealDays, Wanted
from leakear.train.nodedays.real_runs import Plan, run
from leakear.train.nodedays.sounds import in_band
from leakear.train.simulator.units import RATE
from tests.support.places import TINY

RNG = np.random.default_rng(5)


def noise(seconds: float, level: float, rate: int = RATE) -> np.ndarray:
    return (RNG.standard_normal(round(seconds * rate)) * level).astype(np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A manifest of one dry site with three dates and one leak, and a folder of sounds."""
    root = tmp_path_factory.mktemp("recordings")
    loggers, sounds = root / "loggers", root / "sounds"
    rows = ["path,label,site,date"]
    for date, level in (("20190101", 0.01), ("20190301", 0.02), ("20190601", 0.04)):
        rows.append(f"NoLeak/{date}.wav,NoLeak,05574,{date}")
        (loggers / "NoLeak").mkdir(parents=True, exist_ok=True)
        soundfile.write(loggers / rows[-1].split(",")[0], noise(12, level, 4096), 4096)
    rows.append("Leak/a.wav,Leak,00263,20190701")
    (loggers / "Leak").mkdir()
    soundfile.write(loggers / "Leak/a.wav", noise(12, 0.05, 4096), 4096)
    (loggers / "manifest.csv").write_text("\n".join(rows) + "\n")
    for name in ("rain/1.wav", "rain/2.wav", "long/dryer.flac", "long/bar.flac", "long/running_tap.wav"):
        (sounds / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(sounds / name, noise(8, 0.1), RATE)
    (sounds / "long/._bar.flac").write_bytes(b"not a sound")
    return loggers, sounds


def test_a_manifest_gives_a_place_for_each_site_and_a_recording_for_each_date(folders: tuple[Path, Path]) -> None:
    found = {(place.name, place.role): place for place in load([folders[0]])}
    assert set(found) == {("05574", Role.SCENE), ("00263", Role.LEAK)}
    assert [len(files) for files in found["05574", Role.SCENE].dates] == [1, 1, 1]


def test_a_folder_gives_known_sounds_and_scenes(folders: tuple[Path, Path]) -> None:
    found = {place.name: (place.role, len(place.dates)) for place in load([folders[1]])}
    assert found == {
        "rain": (Role.WEATHER, 2),
        "dryer": (Role.MACHINE, 1),
        "bar": (Role.SCENE, 1),
        "running_tap": (Role.USE, 1),
    }


def test_left_out_places_are_not_used(folders: tuple[Path, Path]) -> None:
    assert "rain" not in {place.name for place in load([folders[1]], ["rain"])}
    with pytest.raises(InputDataError, match="no recording"):
        load([folders[0]], ["05574", "00263"])


def test_pieces_join_without_a_seam_and_reading_is_the_same_from_any_place() -> None:
    hum = np.sin(2 * np.pi * 50 * np.arange(60 * RATE) / RATE).astype(np.float32)
    grains = Grains(hum, 3)
    whole = grains.read(0, 70 * RATE)
    assert np.abs(np.diff(whole)).max() < 0.03
    assert np.array_equal(whole[12345:300000], grains.read(12345, 300000 - 12345))
    assert not np.array_equal(whole, Grains(hum, 4).read(0, 70 * RATE))


def wanted(**changed: object) -> Wanted:
    return Wanted(**({"days": 2, "leak_day": 1, "snr_db": 6.0, "day_s": 7200.0} | changed))  # type: ignore[arg-type]


def test_the_same_node_gives_the_same_days(folders: tuple[Path, Path]) -> None:
    places = load(folders)
    first, again = (RealDays(places, 4, wanted()) for _ in range(2))
    assert first.truth() == again.truth()
    for one, other in zip(islice(first.blocks(), 30), islice(again.blocks(), 30), strict=True):
        assert np.array_equal(one.samples, other.samples)
    assert first.truth() != RealDays(places, 6, wanted()).truth()


def test_the_leak_has_the_stated_level_at_its_beginning(folders: tuple[Path, Path]) -> None:
    places = [place for place in load(folders) if place.role in {Role.SCENE, Role.LEAK}]
    for node in range(4):
        days = RealDays(places, node, wanted(snr_db=3.0))
        assert days.leak is not None
        start = days.leak.spells[0].start_s + 10
        quiet, leak = np.zeros(20 * RATE, np.float32), np.zeros(20 * RATE, np.float32)
        for track in days.tracks:
            track.add(leak if track.role is Role.LEAK else quiet, start)
        assert 10 * np.log10(in_band(leak) / in_band(quiet)) == pytest.approx(3.0, abs=1.0)


def test_each_day_has_another_date_at_its_recorded_level(folders: tuple[Path, Path]) -> None:
    places = [place for place in load(folders) if place.name == "05574"]
    days = RealDays(places, 0, wanted(days=3, leak_day=None, day_s=14400.0))
    chunks = [float(np.sqrt(np.mean(block.samples**2))) for block in days.blocks(step_s=600)]
    levels = [chunks[round(hour * 360)] for hour in (0.0, 7.5, 11.5)]
    assert sorted(levels) == pytest.approx([0.01, 0.02, 0.04], rel=0.15)


def test_gain_moves_everything_but_the_converters_noise(folders: tuple[Path, Path]) -> None:
    places = load(folders)
    loud, quiet = (next(RealDays(places, 1, wanted(gain_db=gain)).blocks()).samples for gain in (0.0, -20.0))
    assert 20 * np.log10(np.std(loud) / np.std(quiet)) == pytest.approx(20.0, abs=0.2)


def test_a_run_is_kept_and_reported(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from leakear.train.nodedays.runs import FileModel

    plan = Plan(out=tmp_path, model=FileModel(TINY), folders=folders, nodes=2, step_s=60.0, before=1, day_s=5400.0)
    days = run(plan, jobs=1)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "recorded").glob("*.npz")}
    assert len(kept) == 2
    again = run(plan, jobs=1)
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert [day.truth for day in days] == [day.truth for day in again]
    found = report.report(days, DecisionRule(), sweep=False)
    assert found["summary"]["node_days"] == pytest.approx(2 * 5400 / 86400, abs=0.01)


def test_a_missing_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert PROGRAM.run(["realdays", str(tmp_path / "absent"), "--out", str(tmp_path / "out")]) == 65
    assert "is not a folder" in capsys.readouterr().err
