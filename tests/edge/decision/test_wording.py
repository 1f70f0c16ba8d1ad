"""The reason of an alert says what was heard, since when, how sure, and what it is unlike."""

from dataclasses import replace
from datetime import date

from leakear.edge.decision.nights import Night, Nights
from leakear.edge.decision.observation import DecidedOn, State
from leakear.edge.decision.wording import alert_reason

HOURS = DecidedOn(by="hours", on_share=0.97, excess_db=6.2, hz=630.0, limit_db=2.4, nights_known=12, nights_risen=0)
SCORE = replace(HOURS, by="score", excess_db=None, hz=None, limit_db=None, nights_known=0)
NIGHT = Night(day=date(2026, 11, 27).toordinal(), excess_db=4.0, band=9, level_db=-60.0, score=0.62, limit_db=3.0)


def test_a_sound_of_the_last_hour_is_compared_with_the_nights_known() -> None:
    said = alert_reason("sounds like a leak", State.WARNING, HOURS, Nights(), 1800)
    assert said == "sounds like a leak; unlike everything heard here in 12 nights"
    said = alert_reason("went on for 15 min after WARNING", State.LEAK, HOURS, Nights(), 1800)
    assert said.split("; ")[1:] == ["on 97% of the last 30 min", "unlike everything heard here in 12 nights"]
    below = replace(HOURS, excess_db=2.0)
    assert "unlike" not in alert_reason("x", State.LEAK, below, Nights(), 1800)


def test_without_a_background_the_score_alone_is_stated() -> None:
    assert alert_reason("heard", State.WARNING, SCORE, Nights(), 1800) == "heard"
    assert alert_reason("heard", State.LEAK, SCORE, Nights(), 600) == "heard; on 97% of the last 10 min"


def test_nights_name_the_first_risen_one_and_the_score_of_the_last() -> None:
    nights = Nights()
    nights._last.extend(
        [replace(NIGHT, day=NIGHT.day - 1, excess_db=0.1), NIGHT, replace(NIGHT, day=NIGHT.day + 1, score=0.7)]
    )
    by_nights = replace(HOURS, by="nights", excess_db=4.0)
    said = alert_reason("4.0 dB over the background", State.LEAK, by_nights, nights, 1800)
    assert said == "4.0 dB over the background; since the night of 2026-11-27; mean P(leak) 0.70"
