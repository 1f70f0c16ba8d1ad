"""The curves of a page: few points, and nothing that decides is lost."""

import numpy as np
import pytest

from leakear.dashboard.locate import locate
from leakear.dashboard.locate.answer.curves import POINTS, curves
from tests.support.pairs import case, described, recorded


@pytest.mark.parametrize("material", ["steel", "pvc"])
def test_curves_are_short_and_keep_the_peak(material: str) -> None:
    made = case(3, material, position=13.0)
    location = locate([recorded(made)], described(made))
    assert location.position is not None
    found = curves(location)
    for name, x in (("correlation", "delay_ms"), ("coherence", "hz"), ("spectra", "hz")):
        lengths = {len(line) for key, line in found[name].items() if isinstance(line, list) and key != "possible_ms"}
        assert lengths == {len(found[name][x])}
        assert 50 < len(found[name][x]) <= POINTS
        assert np.all(np.diff(found[name][x]) >= 0)
    assert max(found["correlation"]["chosen"]) == pytest.approx(location.score, rel=0.2)
    assert sum(found["probability"]["probability"]) == pytest.approx(1, abs=1e-3)
    at = found["probability"]["m"][int(np.argmax(found["probability"]["probability"]))]
    assert at == pytest.approx(location.position.median, abs=1.0)


def test_nothing_is_drawn_of_what_was_refused_before_it_was_correlated() -> None:
    made = case(3)
    quiet = recorded(made)
    location = locate([type(quiet)(0 * quiet.a, quiet.b, quiet.rate)], described(made))
    assert curves(location) == {}
