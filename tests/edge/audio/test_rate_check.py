"""Rate check: two minutes in a row at a wrong rate are a fault, one is not."""

import pytest

from leakear.edge.audio.rate_check import RateCheck

RATE = 1000


def minutes(check: RateCheck, *shares: float) -> list[float | None]:
    """Deliver minutes of ten parts with these shares of the samples; return what each minute gave."""
    given = []
    for share in shares:
        now = getattr(check, "now", 0.0)
        parts = [check.count(round(RATE * 6 * share), now + 6 * (part + 1)) for part in range(10)]
        assert parts[:-1] == [None] * 9
        check.now = now + 60  # type: ignore[attr-defined]
        given.append(parts[-1])
    return given


def begun() -> RateCheck:
    check = RateCheck(RATE)
    assert check.count(5 * RATE, 0.0) is None, "how long the first delivery took is not known"
    return check


def test_each_minute_gives_its_share_of_the_samples() -> None:
    assert minutes(begun(), 1.0, 0.5, 1.1) == [pytest.approx(1.0), pytest.approx(0.5), pytest.approx(1.1)]


@pytest.mark.parametrize(
    ("shares", "trusted"),
    [
        ((1.0, 1.0), True),
        ((0.9,), True),
        ((0.9, 0.9), False),
        ((1.1, 1.1), False),
        ((0.9, 1.1), True),
        ((0.9, 1.0, 0.9), True),
        ((0.981, 0.981), True),
        ((0.979, 0.979), False),
        ((0.9, 0.9, 1.0), True),
        ((0.9, 0.9, 1.1), False),
    ],
)
def test_two_minutes_in_a_row_that_are_wrong_in_one_direction_end_the_trust(
    shares: tuple[float, ...], trusted: bool
) -> None:
    check = begun()
    minutes(check, *shares)
    assert check.trusted is trusted


def test_a_known_gap_starts_the_measurement_again() -> None:
    check = begun()
    minutes(check, 0.9)
    check.restart()
    assert check.count(9 * RATE, 100.0) is None
    assert check.count(54 * RATE, 160.0) == pytest.approx(0.9)
    assert check.trusted, "the minute before the gap does not count"


def test_a_stream_that_was_not_trusted_stays_so_until_a_right_minute() -> None:
    check = RateCheck(RATE, trusted=False)
    check.count(0, 0.0)
    minutes(check, 0.9)
    assert not check.trusted
    minutes(check, 1.0)
    assert check.trusted
