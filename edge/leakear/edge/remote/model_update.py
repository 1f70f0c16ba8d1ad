"""Changes the node's model while it runs, watches the new one over its first windows, and takes it back if it fails."""

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from leakear.edge.errors import LeakearError, ModelError
from leakear.edge.messages.reports import Event, ModelRef
from leakear.edge.messages.requests import ModelRequest
from leakear.edge.messages.results import ModelResult
from leakear.edge.model.tflite import Model
from leakear.edge.mqtt.dispatcher import CommandRefused
from leakear.edge.node import detector
from leakear.edge.remote.model_store import ModelStore, Trial, ref
from leakear.edge.remote.model_upload import Transfer

if TYPE_CHECKING:
    from leakear.edge.node.node import Node
    from leakear.edge.pipeline import Result

log = logging.getLogger(__name__)

TRIAL_WINDOWS = 10
"""Windows a new model must judge before it is trusted."""


class ModelControl:
    """The model side of one node. `observe` and `rescue` are hooks of the daemon."""

    def __init__(self, node: "Node", store: ModelStore, max_bytes: int) -> None:
        self._node, self._store = node, store
        self._transfer = Transfer(store.folder / "incoming", max_bytes)
        self._judged = 0
        self._lost = ""
        """sentence why the staged model is gone at this start; empty: it is not"""
        if store.ledger.trial:
            node.pipeline.model = Trial(node.model)
        try:
            self._show_staged(store.staged())
        except LeakearError as error:  # a model that nobody uses yet stops no node
            self._lost = f"The staged model was given up: {error}"
            log.error("%s", self._lost)  # noqa: TRY400
        node.further_faults.append(store.faults)

    @property
    def on_trial(self) -> bool:
        """Whether the model in use is still being watched."""
        return self._store.ledger.trial

    def handle(self, request: ModelRequest) -> ModelResult:
        """Carry out `model`. A disk that does not take what was asked for leaves everything as it is."""
        try:
            return self._carry_out(request)
        except OSError as error:
            with suppress(OSError):
                self._transfer.forget()
            why = f"The disk does not take it ({error.strerror}): make room on the node. Nothing has changed."
            raise CommandRefused(why) from error

    def _carry_out(self, request: ModelRequest) -> ModelResult:
        if request.action == "install":
            return self._install()
        if request.action == "discard":
            self._transfer.forget()
            self._store.discard()
            self._show_staged(None)
            return self._result("discarded")
        whole = self._transfer.add(request)
        return self._result("receiving") if whole is None else self._take(whole, request.stage)

    def announce_start(self) -> None:
        """Say so when the daemon had to give up a model from afar to start at all."""
        for sentence in (self._store.returned, self._lost):
            if sentence:
                self._node.announce("model", sentence)

    def observe(self, result: "Result", _: Event | None) -> None:
        """Count the windows that a model on trial has judged; enough of them end it well."""
        self._store.maintain()
        if not self.on_trial or result.score is None:
            return
        self._judged += 1
        if self._judged >= TRIAL_WINDOWS:
            self._store.confirm()
            self._node.pipeline.model = self._node.model
            self._node.announce("model", f"{self._node.model.info.model_id} is confirmed after {self._judged} windows.")

    def rescue(self, error: ModelError) -> bool:
        """Take a failed model back; False when it was not on trial and there is nothing to go back to."""
        if not self.on_trial:
            return False
        failed = self._node.model.info.model_id
        log.error("model on trial failed: %s", error)
        before = self._store.roll_back()
        detector.refit(self._node, model=before)
        self._node.announce("model", f"{failed} was taken back for {before.info.model_id}: {error}")
        return True

    def _take(self, whole: bytes, only_stage: bool) -> ModelResult:
        model = self._store.stage(whole, self._node.model.info)
        self._show_staged(model)
        return self._result("staged", model) if only_stage else self._install()

    def _install(self) -> ModelResult:
        model = self._staged()
        if self.on_trial:
            raise CommandRefused("The model in use is still on trial: wait until it is confirmed.")
        if model.info.spec.sample_rate != self._node.model.info.spec.sample_rate:
            raise CommandRefused(
                "The model hears at another sample rate than the microphone was opened for: set [model] path."
            )
        before = self._node.model.info.model_id
        detector.fitted(self._node, model, self._node.memory.step_s)  # the site's rule may not fit the model
        self._store.install(model)  # first of all: what a restart would not know is not in use
        detector.refit(self._node, model=model)
        self._judged = 0
        self._node.pipeline.model = Trial(model)
        self._show_staged(None)
        self._node.announce(
            "model", f"{model.info.model_id} replaced {before}; it is watched for {TRIAL_WINDOWS} windows."
        )
        return self._result("installed", model)

    def _staged(self) -> Model:
        """Load the model that waits. CommandRefused where there is none; one that cannot be loaded is given up."""
        try:
            model = self._store.staged()
        except LeakearError:
            self._show_staged(None)
            raise
        if model is None:
            raise CommandRefused("No model is staged: send one with cmd/model put first.")
        return model

    def _show_staged(self, model: Model | None) -> None:
        self._node.staged = ref(model.info) if model else None

    def _result(self, stage: str, model: Model | None = None) -> ModelResult:
        transfer = self._transfer
        chosen: ModelRef | None = ref(model.info) if model else None
        return ModelResult(stage=stage, next_part=transfer.next_part, parts=transfer.parts, model=chosen)
