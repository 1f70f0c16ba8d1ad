"""The rule: combinations that could never be met are refused."""

from datetime import UTC, datetime

import pytest

from leakear.edge.decision.rule import DecisionRule, rule_from
from leakear.edge.errors import ConfigError


@pytest.mark.parametrize(("utc", "quiet"), [(7199, False), (7200, True), (14399, True), (14400, False)])
def test_quiet_hours_begin_and_end_on_the_minute(utc: float, quiet: bool) -> None:
    assert DecisionRule(quiet_hours="02:00-04:00").quiet_hour(utc) is quiet
    assert DecisionRule(quiet_hours="04:00-02:00").quiet_hour(utc) is not quiet, "over midnight"
    assert DecisionRule().quiet_hour(utc)


def test_a_site_overrides_its_model_and_unknown_keys_of_a_model_are_ignored() -> None:
    rule = rule_from({"threshold": 0.7, "span_s": 60.0, "later": 1}, {"threshold": 0.8})
    assert (rule.threshold, rule.span_s) == (0.8, 60)


def test_quiet_hours_follow_the_clock_of_the_place_where_its_zone_is_given() -> None:
    rule = DecisionRule(quiet_hours="02:00-04:00", time_zone="Europe/Lisbon")
    for month, utc_hour in ((1, 2), (7, 1)):  # winter and summer time
        moment = datetime(2026, month, 15, utc_hour, 30, tzinfo=UTC).timestamp()
        assert rule.quiet_hour(moment)
        assert not rule.quiet_hour(moment - 3600)


@pytest.mark.parametrize(
    "fields",
    [
        {"clear_fraction": 0.6},
        {"on_fraction": 0.4},
        {"threshold": 0.0},
        {"coverage": 0.0},
        {"quiet_hours": "2-4"},
        {"quiet_hours": "25:00-26:00"},
    ],
)
def test_impossible_rules_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="decision"):
        rule_from({}, fields)


def test_a_span_of_too_few_windows_is_refused() -> None:
    with pytest.raises(ConfigError, match="span_s"):
        DecisionRule(span_s=20).check_step(10)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"night": "2-4"}, "night '2-4': write it as \"02:00-04:00\""),
        ({"night": "02:00-02:00"}, "night"),
        ({"night": "02:60-04:00"}, "night"),
        ({"night": ""}, "night"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone 'Europe/Atlantis' is not known here"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"time_zone": "Europe"}, "time_zone"),
    ],
)
def test_an_unreadable_night_or_time_zone_names_its_key_and_the_remedy(fields: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        rule_from({}, fields)
    assert text in str(raised.value)
    assert "write it as" in str(raised.value)


def test_the_night_may_last_over_midnight() -> None:
    assert DecisionRule(night="23:30-02:00").night_minutes == (1410, 120)
    assert DecisionRule().night_minutes == (120, 240)
    assert DecisionRule().zone is None
    assert str(DecisionRule(time_zone="Europe/Lisbon").zone) == "Europe/Lisbon"
