"""The order of visits: surer, growing and older cases first, each with its reasons in words."""

import numpy as np
import pytest

from leakear.dashboard.i18n import texts
from leakear.dashboard.priority.order import DAY_S, WEIGHTS, Facts, priority

QUIET = [-60.0, -59.0, -61.0] * 7
RISEN = [*QUIET, *[-55.0] * 7]


@pytest.mark.parametrize(("more", "less"), [
    (Facts(DAY_S, false_per_year=0.001), Facts(DAY_S, false_per_year=0.5)),
    (Facts(10 * DAY_S), Facts(DAY_S)),
    (Facts(DAY_S, levels=[*QUIET, *[-50.0] * 7]), Facts(DAY_S, levels=[*QUIET, *[-57.0] * 7])),
    (Facts(DAY_S, levels=RISEN, spreads=[2.0] * 28), Facts(DAY_S, levels=RISEN, spreads=[9.0] * 28)),
    (Facts(DAY_S, neighbours=1), Facts(DAY_S)),
    (Facts(DAY_S, leaks=3), Facts(DAY_S, leaks=1)),
])  # fmt: skip
def test_each_fact_alone_moves_a_case_forward(more: Facts, less: Facts) -> None:
    assert priority(more).points > priority(less).points


def test_points_are_bounded_and_every_reason_has_its_sentence() -> None:
    most = priority(Facts(1e9, 99, 1e-9, [*QUIET, *[0.0] * 7], [0.1] * 28, 9))
    assert most.points == pytest.approx(100, abs=0.5)
    assert {name for name, _ in most.reasons} == set(WEIGHTS)
    least = priority(Facts(-5.0, leaks=0))
    assert least.points == 0
    for language in ("en", "pt-BR"):
        for name, values in (*most.reasons, *priority(Facts(DAY_S, leaks=2)).reasons):
            text = texts(language)[f"priority.{name}"].format(**values)
            assert "{" not in text
            assert not {"size", "tamanho", "large", "big"} & set(text.split()), "never called a size"


def test_the_level_itself_says_nothing() -> None:
    quiet, loud = (np.array([*QUIET, *[-55.0] * 7]) + gain for gain in (0.0, 40.0))
    points = [priority(Facts(DAY_S, levels=list(levels))).points for levels in (quiet, loud)]
    assert points[0] == points[1], "a sensor's gain is unknown"
