"""Length, speed and the sign convention."""

import pytest

from leakear.dashboard.locate import pipe
from leakear.dashboard.locate.pipes import MATERIALS, Speed, speed_of
from leakear.edge.errors import UsageError


def test_a_sound_nearer_to_a_reaches_b_later_and_its_delay_is_positive() -> None:
    steel = pipe(100, "steel", speed=(1200, 1200))
    assert steel.delay(20) == pytest.approx(60 / 1200)
    assert steel.delay(80) == pytest.approx(-60 / 1200)
    assert steel.delay(50) == 0
    for metres in (0, 13, 50, 99.5):
        assert steel.position(steel.delay(metres)) == pytest.approx(metres)


def test_a_source_beyond_a_sensor_has_the_delay_of_that_sensor() -> None:
    steel = pipe(100, "steel", speed=(1200, 1200))
    assert steel.delay(-30) == steel.delay(0) == pytest.approx(100 / 1200)
    assert steel.delay(130) == steel.delay(100)


@pytest.mark.parametrize("material", MATERIALS)
def test_the_formula_agrees_with_the_table_for_a_usual_pipe(material: str) -> None:
    diameter, wall = {"copper": (28, 1.5), "cement": (150, 15), "pvc": (110, 5.3), "pe": (63, 5.8)}.get(
        material, (114, 6)
    )
    computed, known = speed_of(material, diameter, wall), speed_of(material, None, None)
    assert known == Speed(MATERIALS[material].slowest, MATERIALS[material].fastest)
    assert computed.low < known.high
    assert computed.high > known.low
    assert computed.low < computed.high <= 1480


def test_a_thinner_wall_is_slower() -> None:
    assert speed_of("steel", 300, 4).high < speed_of("steel", 300, 10).low


@pytest.mark.parametrize("speed", [(1500, 5000), (10, 300), (1300, 1200), (0, 0)])
def test_speeds_that_cannot_be_are_refused(speed: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match=r"--speed .* cannot be: .* 100 to 1480 m/s"):
        pipe(84, "steel", speed=speed)


def test_an_unknown_material_and_a_wall_too_thick_are_refused() -> None:
    with pytest.raises(UsageError, match="no material 'wood': give one of steel"):
        pipe(84, "wood")
    with pytest.raises(UsageError, match="a wall of 60 mm does not fit a pipe of 110 mm"):
        pipe(84, "pvc", diameter_mm=110, wall_mm=60)


def test_unknown_dispersion_widens_the_speed_away_from_the_reference_frequency() -> None:
    plastic = pipe(40, "pvc", speed=(400, 420))
    assert plastic.at_frequency(200).speed == plastic.speed
    assert plastic.at_frequency(60).speed.low < 400
    assert plastic.at_frequency(60).speed.high > 420
    steel = pipe(40, "steel", speed=(1200, 1250))
    assert steel.at_frequency(60).speed == steel.speed
