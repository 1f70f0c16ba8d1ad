"""Changes the node's model while it runs, watches the new one over its first windows, and takes it back if it fails."""

import logging
from typing import TYPE_CHECKING

from leakear.edge import adjustments
from leakear.edge.commands import CommandRefused
from leakear.edge.errors import ModelError
from leakear.edge.messages import Event, ModelRef
from leakear.edge.model import Model
from leakear.edge.model_store import ModelStore, Trial, ref
from leakear.edge.requests import ModelRequest
from leakear.edge.results import ModelResult
from leakear.edge.transfer import Transfer

if TYPE_CHECKING:
    from leakear.edge.daemon import Node
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
        if store.ledger.trial:
            node.pipeline.model = Trial(node.model)
        self._show_staged(store.staged())

    @property
    def on_trial(self) -> bool:
        """Whether the model in use is still being watched."""
        return self._store.ledger.trial

    def handle(self, request: ModelRequest) -> ModelResult:
        """Carry out `model`."""
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
        """Say so when the daemon had to give up an installed model to start at all."""
        if self._store.returned:
            self._node.announce("model", self._store.returned)

    def observe(self, result: "Result", _: Event | None) -> None:
        """Count the windows that a model on trial has judged; enough of them end it well."""
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
        adjustments.refit(self._node, model=before)
        self._node.announce("model", f"{failed} was taken back for {before.info.model_id}: {error}")
        return True

    def _take(self, whole: bytes, only_stage: bool) -> ModelResult:
        try:
            model = self._store.stage(whole, self._node.model.info)
        except OSError as error:
            raise CommandRefused(
                f"The bundle could not be written ({error.strerror}): make room on the node."
            ) from error
        self._show_staged(model)
        return self._result("staged", model) if only_stage else self._install()

    def _install(self) -> ModelResult:
        model = self._store.staged()
        if model is None:
            raise CommandRefused("No model is staged: send one with cmd/model put first.")
        if self.on_trial:
            raise CommandRefused("The model in use is still on trial: wait until it is confirmed.")
        if model.info.spec.sample_rate != self._node.model.info.spec.sample_rate:
            raise CommandRefused(
                "The model hears at another sample rate than the microphone was opened for: set [model] path."
            )
        before = self._node.model.info.model_id
        adjustments.refit(
            self._node, model=model
        )  # raises, with nothing changed, when the site's rule does not fit the model
        self._store.install(model)
        self._judged = 0
        self._node.pipeline.model = Trial(model)
        self._show_staged(None)
        self._node.announce(
            "model", f"{model.info.model_id} replaced {before}; it is watched for {TRIAL_WINDOWS} windows."
        )
        return self._result("installed", model)

    def _show_staged(self, model: Model | None) -> None:
        self._node.staged = ref(model.info) if model else None

    def _result(self, stage: str, model: Model | None = None) -> ModelResult:
        transfer = self._transfer
        chosen: ModelRef | None = ref(model.info) if model else None
        return ModelResult(stage=stage, next_part=transfer.next_part, parts=transfer.parts, model=chosen)
