"""A second model beside the one that decides: scored on the same windows, with a judge of its own, never announced.

A new model is on trial here before it decides; afterwards the old one stays here for some days, to compare. It shares
windows, health and levels with the pipeline of the node, so that it costs one score more a window.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leakear.edge.decision.comparison import Comparison, Verdict
from leakear.edge.decision.judge import Judge
from leakear.edge.decision.observation import ALERTS
from leakear.edge.decision.state_machine import DecisionRule, State, rule_from
from leakear.edge.errors import ConfigError, ModelError
from leakear.edge.messages.reports import ModelRef
from leakear.edge.model.tflite import Model
from leakear.edge.node.trial.scorer import TrialScorer
from leakear.edge.pipeline import Pipeline, Result
from leakear.edge.spectrogram import spectrogram

HEARING = (State.OK, *ALERTS)
"""States in which the sensor could be judged: only then are two models compared."""


@dataclass(frozen=True)
class TrialStatus:
    """What messages say of a trial."""

    model: ModelRef
    """the new model"""
    beside: ModelRef
    """the one before it"""
    decides: bool
    """false: the old model decides; true: the new one does and is watched"""
    ends_utc: float
    """s since 1970, when it ends if the node can hear until then"""


class Beside:
    """The model beside. `decides`: whether the new model is the one in use, and this one the old."""

    def __init__(self, model: Model, *, decides: bool, length_s: float) -> None:
        self.model, self.decides = model, decides
        self.length_s = length_s
        """time that both must judge until the trial, or the time of being watched, is over"""
        self.comparison = Comparison()
        """of the whole trial; while the new model is watched, of the present day"""
        self.passed_s = 0.0
        """time of the days before the present one, s"""
        self._scorer = TrialScorer(model)
        self._judge: Judge | None = None
        self._shared = False  # whether it takes the spectrogram of the model that decides

    @property
    def heard_s(self) -> float:
        """Time that both have judged, s."""
        return self.passed_s + self.comparison.heard_s

    @property
    def over(self) -> bool:
        """Whether both have judged for long enough."""
        return self.heard_s >= self.length_s

    def rule_under(self, decision: Mapping[str, Any], step_s: float) -> DecisionRule:
        """Return the rule of this model under a site's [decision]. Raises ConfigError where it does not fit."""
        try:
            rule = rule_from(self.model.info.decision, decision)
            rule.check_step(step_s)
        except ConfigError as error:
            raise ConfigError(f"{error} (by the rule of {self.model.info.model_id}, which is compared)") from None
        return rule

    def join(self, pipeline: Pipeline, monotonic: float, decision: Mapping[str, Any], *, gap_s: float = 0.0) -> None:
        """Continue from where a pipeline of the node stood `gap_s` seconds before this monotonic time (s).

        `decision`: [decision] of this site. Raises ConfigError where it does not fit this model, nothing changed.
        """
        rule = self.rule_under(decision, pipeline.step_s)
        self._shared = pipeline.spec == self.model.info.spec
        self._judge = Judge(rule, pipeline.spec, step_s=pipeline.step_s)
        self._judge.restore(pipeline.snapshot(), monotonic, gap_s)

    def accept(self) -> None:
        """Take what was heard for the background: a person has stated that it is no leak."""
        if self._judge is not None:
            self._judge.accept()
        if not self.decides:
            self.comparison.old_was_wrong()

    def follow(self, result: Result, rule: DecisionRule) -> bool:
        """Judge what the node has just judged with `rule`; True: the two were compared.

        Raises ModelError where this model fails.
        """
        judge = self._judge
        if judge is None:
            return False
        score = self._score(result)
        if result.sensor_fault is not None:
            judge.sensor_fault(result.sensor_fault, time_s=result.end_monotonic, utc=result.end_utc)
        elif result.health is None:
            judge.lost(time_s=result.end_monotonic, utc=result.end_utc)
        else:
            judge.window(
                result.health, time_s=result.end_monotonic, utc=result.end_utc, score=score, levels=result.levels
            )
        state = judge.decision.state
        if score is None or result.score is None or result.state not in HEARING or state not in HEARING:
            return False
        this = Verdict(_on(score, result, judge.rule), state in ALERTS)
        that = Verdict(_on(result.score, result, rule), result.state in ALERTS)
        new, old = (that, this) if self.decides else (this, that)
        self.comparison.add(judge.step_s, new, old)
        return True

    def pause(self, *, time_s: float, utc: float, until: float) -> None:
        """Expect a sleep, as the pipeline of the node does."""
        if self._judge is not None:
            self._judge.pause(time_s=time_s, utc=utc, until=until)

    def next_day(self) -> None:
        """Begin another day of watching."""
        self.passed_s += self.comparison.heard_s
        self.comparison = Comparison()

    def status(self, in_use: ModelRef, utc: float) -> TrialStatus:
        """Return what messages say of it at this time, s since 1970."""
        info = self.model.info
        this = ModelRef(id=info.model_id, sha256=info.flatbuffer_sha256)
        new, old = (in_use, this) if self.decides else (this, in_use)
        return TrialStatus(new, old, self.decides, utc + max(0.0, self.length_s - self.heard_s))

    def _score(self, result: Result) -> float | None:
        if result.spectrogram is None or result.window is None:
            return None
        if self._shared:
            return self._scorer.score(result.spectrogram)
        samples, spec = result.window.samples, self.model.info.spec
        if len(samples) != spec.window_samples:
            raise ModelError(f"{self.model.info.model_id} takes windows of another length than the model in use")
        return self._scorer.score(spectrogram(samples, spec))

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values; its judge continues from that of the node."""
        info = self.model.info
        of = [info.model_id, info.flatbuffer_sha256, self.decides]
        return {"of": of, "passed_s": self.passed_s, "comparison": self.comparison.snapshot()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Continue the sums of a snapshot of the same trial. Raises KeyError, TypeError or ValueError."""
        if saved["of"] == self.snapshot()["of"]:
            self.comparison = Comparison.restored(saved["comparison"])
            self.passed_s = float(saved["passed_s"])


def _on(score: float, result: Result, rule: DecisionRule) -> bool:
    level = 0.0 if result.health is None else result.health.l05
    return score >= rule.threshold and level >= rule.level_gate_dbfs
