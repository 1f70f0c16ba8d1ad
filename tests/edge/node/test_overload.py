"""A judge slower than the world: the oldest windows are dropped and counted, and the node says so."""

import numpy as np

from leakear.edge.audio.blocks import Block
from leakear.edge.decision.state_machine import DecisionRule, State
from leakear.edge.pipeline import Pipeline
from leakear.edge.spectrogram import Decibels, SpectrogramSpec
from leakear.edge.windows import WindowOptions

SPEC = SpectrogramSpec(reference="full-scale", window_seconds=1.0)
SOUND = (np.random.default_rng(9).standard_normal(SPEC.sample_rate) * 0.01).astype(np.float32)
RULE = DecisionRule(span_s=6, confirm_s=3, clear_s=6, noisy_s=6)


class Slow:
    """Needs three seconds for each second of sound; its clock is the test's."""

    now = 0.0

    def score(self, spectrogram: Decibels) -> float:
        assert spectrogram.shape == SPEC.shape
        self.now += 3.0
        return 0.0


def test_the_oldest_windows_are_dropped_counted_and_make_the_node_noisy() -> None:
    judge = Slow()
    node = Pipeline(judge, SPEC, RULE, WindowOptions(step_s=1.0, max_lag_s=5.0))
    lags, indices, states = [], [], set()
    for second in range(120):
        judge.now = max(judge.now, second + 1.0)
        began = judge.now
        for result in node.push(Block(second * 22050, SOUND, float(second), float(second)), began):
            states.add(result.state)
            if result.score is not None and result.window is not None:
                indices.append(result.window.index)
                lags.append(began - second - 1)
    windower = node.windower
    assert windower.produced == 120
    assert windower.produced == node.scored + node.discarded + windower.dropped
    assert windower.dropped > 60
    assert indices == sorted(indices)
    assert max(lags) <= 5.0  # never silently late
    assert min(lags[5:]) <= 1.0  # a backlog is worked off, not dragged along
    assert State.NOISY in states
