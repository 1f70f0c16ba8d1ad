"""Replaces the model while the node runs; a new one is on trial for some windows and taken back if it fails."""

import logging
from contextlib import suppress

from leakear.edge.errors import LeakearError, ModelError
from leakear.edge.messages.reports import Event, ModelRef
from leakear.edge.messages.requests import ModelRequest
from leakear.edge.messages.results import ModelResult
from leakear.edge.model.tflite import Model
from leakear.edge.mqtt.dispatcher import CommandRefused
from leakear.edge.node.detector import Detector, model_ref
from leakear.edge.node.reporter import Reporter
from leakear.edge.pipeline import Result
from leakear.edge.remote.model_store import ModelStore
from leakear.edge.remote.model_upload import Transfer

log = logging.getLogger(__name__)

TRIAL_WINDOWS = 10
"""Windows that a new model must score before its trial ends."""


class ModelControl:
    """Carries out `cmd/model`; `observe` is called with every result, `take_back` when the model fails on a window."""

    def __init__(self, detector: Detector, reporter: Reporter, store: ModelStore, max_bytes: int) -> None:
        self._detector, self._reporter, self._store = detector, reporter, store
        self._transfer = Transfer(store.folder / "incoming", max_bytes)
        self._judged = 0
        self._lost = ""
        """sentence why the staged model was dropped at this start; empty: it was not"""
        if store.ledger.trial:
            detector.begin_trial()
        try:
            self._show_staged(store.staged())
        except LeakearError as error:  # a model that nobody uses yet stops no node
            self._lost = f"The staged model was given up: {error}"
            log.error("%s", self._lost)  # noqa: TRY400

    def handle(self, request: ModelRequest) -> ModelResult:
        """Carry out `model`. When the disk refuses a write, nothing has changed."""
        try:
            return self._carry_out(request)
        except OSError as error:
            with suppress(OSError):
                self._transfer.drop()
            why = f"The disk refuses it ({error.strerror}): make room on the node. Nothing has changed."
            raise CommandRefused(why) from error

    def _carry_out(self, request: ModelRequest) -> ModelResult:
        if request.action == "install":
            return self._install()
        if request.action == "discard":
            self._transfer.drop()
            self._store.discard()
            self._show_staged(None)
            return self._result("discarded")
        whole = self._transfer.add(request)
        return self._result("receiving") if whole is None else self._take(whole, request.stage)

    def announce_start(self) -> None:
        """Report that an installed or staged model was given up at this start."""
        for sentence in (self._store.returned, self._lost):
            if sentence:
                self._reporter.announce("model", sentence)

    def observe(self, result: Result, _: Event | None) -> None:
        """Count the windows that a model on trial has scored; after enough of them the trial ends well."""
        self._store.maintain()
        if not self._store.ledger.trial or result.score is None:
            return
        self._judged += 1
        if self._judged >= TRIAL_WINDOWS:
            self._store.confirm()
            self._detector.end_trial()
            self._reporter.announce(
                "model", f"{self._detector.model.info.model_id} is confirmed after {self._judged} windows."
            )

    def take_back(self, error: ModelError) -> bool:
        """Replace a model that failed on trial by the one before it. False: it was not on trial."""
        if not self._store.ledger.trial:
            return False
        failed = self._detector.model.info.model_id
        log.error("model on trial failed: %s", error)
        before = self._store.roll_back()
        self._detector.refit(self._reporter.now[0], model=before)
        self._reporter.announce("model", f"{failed} was taken back for {before.info.model_id}: {error}")
        return True

    def _take(self, whole: bytes, only_stage: bool) -> ModelResult:
        model = self._store.stage(whole, self._detector.model.info)
        self._show_staged(model)
        return self._result("staged", model) if only_stage else self._install()

    def _install(self) -> ModelResult:
        model = self._staged()
        if self._store.ledger.trial:
            raise CommandRefused("The model in use is still on trial: wait until it is confirmed.")
        if model.info.spec.sample_rate != self._detector.model.info.spec.sample_rate:
            raise CommandRefused(
                "The model needs another sample rate than the microphone was opened for: set [model] path."
            )
        before = self._detector.model.info.model_id
        self._detector.check(model)  # raises where the site's rule does not fit
        self._store.install(model)  # first: a model is used only when a restart would use it too
        self._detector.refit(self._reporter.now[0], model=model)
        self._judged = 0
        self._detector.begin_trial()
        self._show_staged(None)
        self._reporter.announce(
            "model", f"{model.info.model_id} replaced {before}; it is watched for {TRIAL_WINDOWS} windows."
        )
        return self._result("installed", model)

    def _staged(self) -> Model:
        """Load the staged model. Raises CommandRefused where there is none; one that cannot be loaded is dropped."""
        try:
            model = self._store.staged()
        except LeakearError:
            self._show_staged(None)
            raise
        if model is None:
            raise CommandRefused("No model is staged: send one with cmd/model put first.")
        return model

    def _show_staged(self, model: Model | None) -> None:
        self._detector.staged_model = model_ref(model.info) if model else None

    def _result(self, stage: str, model: Model | None = None) -> ModelResult:
        transfer = self._transfer
        chosen: ModelRef | None = model_ref(model.info) if model else None
        return ModelResult(stage=stage, next_part=transfer.next_part, parts=transfer.parts, model=chosen)
