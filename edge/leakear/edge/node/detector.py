"""The detector: model, rule, remote settings and pipeline of one node, and every change to them while it listens.

A change takes effect with the next window. Nothing is saved or published here: the caller does both.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from leakear.edge.audio.blocks import Block, SensorFault
from leakear.edge.decision.learning import Learning
from leakear.edge.decision.rule import NO_GATE_DBFS
from leakear.edge.decision.state_machine import rule_from
from leakear.edge.errors import UNUSABLE, ConfigError
from leakear.edge.health.monitor import FAULTS as HEALTH_FAULTS
from leakear.edge.messages.reports import ModelRef
from leakear.edge.model.bundle import BundleInfo
from leakear.edge.model.tflite import Model
from leakear.edge.node.remote_settings import RemoteSettings
from leakear.edge.node.trial.beside import Beside, TrialStatus
from leakear.edge.node.trial.scorer import TrialScorer
from leakear.edge.pipeline import NO_SCORE, NOT_JUDGED, Pipeline, Result
from leakear.edge.settings import Settings

log = logging.getLogger("leakear.node")

ONLY_LOUD_ALERTS = "only_loud_alerts"
"""Fault: after "not a leak" in the first days a node tells only what is far above that, until it knows its place."""
SENTENCES: Mapping[str, str] = {
    **HEALTH_FAULTS,
    NO_SCORE: "the model gives no number for a window: the model or its runtime is damaged; install another model",
    NOT_JUDGED: "too few of the last windows could be judged: look at the counters of lost windows in telemetry",
    ONLY_LOUD_ALERTS: "a person has stated that there is no leak before this place was known: until it is, in the first"
    " nights, an alert can come only of a steady sound far louder than all that was heard until then",
}
"""name → sentence, of the sensor's faults that bring no sentence of their own"""


class Detector:
    """Turns blocks of sound into results, and takes changes of threshold, rule, step and model while it runs."""

    def __init__(self, model: Model, settings: Settings) -> None:
        self.model = model
        self.rule = rule_from(model.info.decision, settings.decision)
        """the configured rule; the pipeline uses it with the remote settings applied"""
        self.pipeline = Pipeline.of(model, self.rule, settings.window, settings.health)
        self.remote = RemoteSettings()
        self.last: Result | None = None
        """the newest result"""
        self.staged_model: ModelRef | None = None
        """a verified model that waits to be installed"""
        self.beside: Beside | None = None
        """the model that is compared with the one in use; None: no trial"""
        self._settings = settings
        self._messages: dict[str, str] = {}  # name → sentence, of the sound device's faults
        self._notices: list[str] = []

    # ---- sound to results

    def push(self, item: Block | SensorFault, now: float | None = None) -> Iterator[Result]:
        """Yield a result for every window (or second without sound) that the item completes.

        `now`: the monotonic clock of a live source; None for recordings. Raises ModelError for a model on trial.
        """
        if isinstance(item, SensorFault):
            self._messages[item.name] = item.message
        for result in self.pipeline.push(item, now):
            self.last = result
            yield result

    def pause(self, monotonic: float, utc: float, until: float) -> Result:
        """Expect a sleep from now until the next listening hours (`until`, s since 1970); return what follows."""
        if self.beside is not None:
            self.beside.pause(time_s=monotonic, utc=utc, until=until)
        return self.pipeline.pause(monotonic, utc, until)

    @property
    def faults(self) -> dict[str, str]:
        """Name → sentence, of the sensor's faults at the newest result."""
        names = self.last.faults if self.last else ()
        if self.pipeline.judge.waits:
            names = (*names, ONLY_LOUD_ALERTS)
        return {name: self._messages.get(name) or SENTENCES.get(name, name) for name in names}

    # ---- what is in use

    @property
    def model_ref(self) -> ModelRef:
        """The model in use, as messages name it."""
        return model_ref(self.model.info)

    @property
    def level_gate_dbfs(self) -> float | None:
        """The level gate in use, dBFS; None when there is none."""
        gate = self.pipeline.decision.rule.level_gate_dbfs
        return gate if gate > NO_GATE_DBFS else None

    @property
    def threshold_from(self) -> str:
        """Who chose threshold and level gate: `remote` (a command), `site` (the configuration) or `model`."""
        if self.remote.retuned:
            return "remote"
        return "site" if {"threshold", "level_gate_dbfs"} & set(self._settings.decision) else "model"

    def take_notices(self) -> list[str]:
        """Return, once, the sentences about remote settings that were dropped: each becomes an event."""
        notices, self._notices = self._notices, []
        return notices

    # ---- changes of the rule

    def set_threshold(self, threshold: float | None, level_gate_dbfs: float | None = None) -> None:
        """Use another threshold or level gate (dBFS); None leaves it as it is."""
        if threshold is not None:
            self.remote.threshold = threshold
        if level_gate_dbfs is not None:
            self.remote.level_gate_dbfs = level_gate_dbfs
        self.remote.basis = self._basis()
        self._apply_remote()

    def reset_tuning(self) -> None:
        """Use the configured threshold and level gate again."""
        self._drop_tuning()
        self._apply_remote()

    def mute(self, until: float) -> None:
        """Mark alerts as muted until this time, s since 1970; they are still published."""
        self.remote.muted_until = until

    def muted_until(self, utc: float) -> float | None:
        """Return until when alerts are muted, s since 1970; None when they are not at this time."""
        until = self.remote.muted_until
        return until if until is not None and until > utc else None

    def reconfigure(self, decision: Mapping[str, Any]) -> None:
        """Use another [decision] section (a reload). Raises ConfigError; then nothing has changed."""
        rule = rule_from(self.model.info.decision, decision)
        rule.check_step(self.pipeline.step_s)
        if self.beside is not None:
            self.beside.rule_under(decision, self.pipeline.step_s)
        self._settings = replace(self._settings, decision=decision)
        stated, self.rule = rule.not_a_leak != self.rule.not_a_leak, rule
        self._apply_remote()
        self._rejoin_beside()
        if stated:
            self.accept()

    def _apply_remote(self) -> None:
        """Let remote settings replace the configured rule, as long as that rule and the model are the same."""
        remote, basis = self.remote, self._basis()
        if remote.retuned and remote.basis not in (None, basis):
            self._drop_tuning()
            reason = (
                "the threshold and level gate set remotely are dropped: the model or the configuration changed; "
                f"the threshold is {self.rule.threshold:g} now"
            )
            log.warning("%s", reason)
            self._notices.append(reason)
        remote.basis = basis if remote.retuned else None
        chosen = {"threshold": remote.threshold, "level_gate_dbfs": remote.level_gate_dbfs}
        given: dict[str, Any] = {key: value for key, value in chosen.items() if value is not None}
        self.pipeline.decision.rule = replace(self.rule, **given)

    def _drop_tuning(self) -> None:
        self.remote.threshold = self.remote.level_gate_dbfs = None

    def _basis(self) -> str:
        """Name what a threshold is chosen for: 0.9 of another network means something else."""
        info = self.model.info
        return f"{info.model_id} {info.flatbuffer_sha256} {self.rule.threshold:g} {self.rule.level_gate_dbfs:g}"

    # ---- changes of model and step

    def check(self, model: Model) -> None:
        """Raise ConfigError where the configured rule does not fit this model."""
        self._fitted(model, self.remote.step_s)

    def refit(self, monotonic: float, model: Model | None = None, step_s: float | None = None) -> None:
        """Continue with another model or step (s) from this monotonic time on. Raises ConfigError, nothing changed."""
        fresh, step_s = model or self.model, step_s or self.remote.step_s
        pipeline = self._fitted(fresh, step_s)
        pipeline.take_over(self.pipeline, monotonic)
        if model is None:
            pipeline.model = self.pipeline.model  # it may be on trial
        self._join_beside(pipeline, monotonic)
        rule = pipeline.decision.rule
        self.remote.step_s, self.model, self.rule, self.pipeline = step_s, fresh, rule, pipeline
        self._apply_remote()

    def _fitted(self, model: Model, step_s: float | None) -> Pipeline:
        settings = self._settings
        window = settings.window if step_s is None else replace(settings.window, step_s=step_s)
        rule = rule_from(model.info.decision, settings.decision)
        return Pipeline.of(model, rule, window, settings.health)

    # ---- another model beside

    def put_beside(self, model: Model, monotonic: float, *, decides: bool, length_s: float) -> None:
        """Compare the model in use with this one from now on. `decides`: the one in use is the new one.

        A new one that is in use is not trusted: every failure is a ModelError. Raises ConfigError, nothing changed.
        """
        beside = Beside(model, decides=decides, length_s=length_s)
        beside.join(self.pipeline, monotonic, self._settings.decision)
        self.beside = beside

    def trial(self, utc: float) -> TrialStatus | None:
        """Return what messages say of a trial at this time, s since 1970; None: there is none."""
        return self.beside.status(self.model_ref, utc) if self.beside is not None else None

    def distrust(self) -> None:
        """Turn every failure of the model in use into a ModelError, until it is trusted."""
        self.pipeline.model = TrialScorer(self.model)

    def trust(self) -> None:
        """Use the model directly again."""
        self.pipeline.model = self.model

    def _join_beside(self, pipeline: Pipeline, monotonic: float, gap_s: float = 0.0) -> None:
        """Let the model beside continue from the judgement of a pipeline, which is `gap_s` seconds old."""
        if self.beside is not None:
            self.beside.join(pipeline, monotonic, self._settings.decision, gap_s=gap_s)

    def _rejoin_beside(self) -> None:
        if self.last is not None:
            self._join_beside(self.pipeline, self.last.end_monotonic)

    # ---- what was learnt here

    @property
    def learning(self) -> Learning:
        """What has been learnt of this place, and what the node may say with it."""
        return self.pipeline.judge.learning

    @property
    def suspects(self) -> bool:
        """Whether a leak is suspected, or a new sound is held back from the background."""
        return self.pipeline.judge.suspects

    def accept(self) -> None:
        """Take everything heard so far for the background: a person has stated that it is no leak."""
        self.pipeline.judge.accept()
        if self.beside is not None:
            self.beside.accept()

    def learn_anew(self) -> None:
        """Learn the background anew, from nothing: a person says that there is no leak now."""
        self.pipeline.learn_anew()
        self._rejoin_beside()

    def accept_floor(self) -> None:
        """Accept the present noise floor: a person has checked the sensor. Also learns the background anew."""
        self.pipeline.accept_floor()
        self._rejoin_beside()

    # ---- restart

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON."""
        trial = {"trial": self.beside.snapshot()} if self.beside else {}
        return {"pipeline": self.pipeline.snapshot(), "memory": asdict(self.remote)} | trial

    def restore_remote(self, saved: Mapping[str, Any], monotonic: float) -> None:
        """Take over the remote settings of a snapshot at this monotonic time. What no longer fits is dropped."""
        self.remote = RemoteSettings.restore(saved.get("memory", {}))
        if self.beside is not None:
            with suppress(*UNUSABLE):  # the comparison then begins anew
                self.beside.restore(saved["trial"])
        if self.remote.step_s is not None:
            try:
                self.refit(monotonic)
            except ConfigError as error:
                log.warning("the step that was set remotely no longer fits (%s): the configured one is used", error)
                self.remote.step_s = None
        try:
            self._apply_remote()
        except ConfigError as error:
            log.warning(
                "what was set remotely is saved with an impossible value (%s): the configured rule holds", error
            )
            self._drop_tuning()
            self._apply_remote()

    def restore(self, pipeline: Mapping[str, Any], monotonic: float, gap_s: float) -> None:
        """Continue from a snapshot's `pipeline`, taken `gap_s` seconds before this monotonic time.

        Raises KeyError, TypeError or ValueError.
        """
        self.pipeline.restore(pipeline, monotonic, gap_s)
        if self.last is None:
            self._join_beside(self.pipeline, monotonic, gap_s)
        else:
            self._rejoin_beside()


def model_ref(info: BundleInfo) -> ModelRef:
    """Name a model as messages do."""
    return ModelRef(id=info.model_id, sha256=info.flatbuffer_sha256)
