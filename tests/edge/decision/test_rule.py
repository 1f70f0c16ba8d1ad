"""The rule: combinations that could never be met are refused."""

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
