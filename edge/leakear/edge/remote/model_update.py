"""Carries out `cmd/model`: receives a bundle, starts its trial, returns to a model that was in use before."""

import logging
from collections.abc import Callable
from contextlib import suppress

from leakear.edge.errors import LeakearError
from leakear.edge.messages.reports import ModelRef
from leakear.edge.messages.requests import ModelRequest
from leakear.edge.messages.results import ModelResult, StoredModel
from leakear.edge.model.bundle import BundleInfo
from leakear.edge.model.tflite import Model
from leakear.edge.mqtt.dispatcher import CommandRefused
from leakear.edge.node.detector import Detector, model_ref
from leakear.edge.node.reporter import Reporter
from leakear.edge.remote import rollback
from leakear.edge.remote.model_store import ModelStore, still_on_trial
from leakear.edge.remote.model_trial import TrialControl
from leakear.edge.remote.model_upload import Transfer

log = logging.getLogger(__name__)


class ModelControl:
    """Carries out `cmd/model`."""

    def __init__(
        self,
        detector: Detector,
        reporter: Reporter,
        store: ModelStore,
        trial: TrialControl,
        max_bytes: Callable[[], int],
    ) -> None:
        self._detector, self._reporter, self._store, self._trial = detector, reporter, store, trial
        self._transfer = Transfer(store.folder / "incoming", max_bytes)
        self._lost = ""
        """sentence why the staged model was dropped at this start; empty: it was not"""
        try:
            self._show_staged(store.staged())
        except LeakearError as error:  # a model that nobody uses yet stops no node
            self._lost = f"The staged model was given up: {error}"
            log.error("%s", self._lost)  # noqa: TRY400

    def handle(self, request: ModelRequest, where: str = "from afar") -> ModelResult:
        """Carry out `model`. When the disk refuses a write, nothing has changed.

        `where`: it was asked, for its event.
        """
        try:
            return self._carry_out(request, where)
        except OSError as error:
            with suppress(OSError):
                self._transfer.drop()
            why = f"The disk refuses it ({error.strerror}): make room on the node. Nothing has changed."
            raise CommandRefused(why) from error

    def _carry_out(self, request: ModelRequest, where: str) -> ModelResult:
        if request.action == "install":
            return self._install(trial=request.trial)
        if request.action == "discard":
            return self._discard()
        if request.action == "rollback":
            return self._result("rolled back", self._roll_back(request.to or "", where))
        if request.action == "list":
            models = tuple(_stored(info, use) for _, info, use in self._store.models())
            return ModelResult(stage="listed", next_part=0, parts=0, models=models)
        whole = self._transfer.add(request)
        return self._result("receiving") if whole is None else self._received(whole, request)

    def _received(self, bundle: bytes, request: ModelRequest) -> ModelResult:
        """Stage a bundle and, unless it was sent to wait, use it. One that may not be used does not wait."""
        model = self._store.stage(bundle, self._detector.model.info)
        self._show_staged(model)
        if request.stage:
            return self._result("staged", model)
        try:
            return self._install(trial=request.trial)
        except LeakearError:
            self._drop_staged()
            raise

    def announce_start(self) -> None:
        """Report that an installed or staged model was given up at this start, or what could not be told before."""
        self._trial.tell()
        if self._lost:
            self._reporter.announce("model", self._lost)

    def _install(self, *, trial: bool) -> ModelResult:
        model = self._staged()
        if self._store.ledger.candidate:
            raise still_on_trial(self._detector.model.info.model_id)
        self._check_rate(model)
        stage = self._trial.begin(model, trial=trial)
        self._show_staged(None)
        self._reporter.send_state()
        return self._result(stage, model)

    def _discard(self) -> ModelResult:
        self._transfer.drop()
        self._drop_staged()
        if self._store.ledger.candidate:
            self._trial.discard()
        return self._result("discarded")

    def _roll_back(self, wanted: str, where: str) -> Model:
        """Put a model to use again that was in use here. Raises LeakearError or OSError; then nothing has changed."""
        name = rollback.choose(wanted, self._store)
        model = self._store.read(self._store.file(name))
        self._check_rate(model)
        self._trial.go_back(name, model, where)
        self._reporter.send_state()
        return model

    def _check_rate(self, model: Model) -> None:
        if model.info.spec.sample_rate != self._detector.model.info.spec.sample_rate:
            raise CommandRefused(
                "The model needs another sample rate than the microphone was opened for: set [model] path."
            )

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

    def _drop_staged(self) -> None:
        self._store.discard()
        self._show_staged(None)

    def _show_staged(self, model: Model | None) -> None:
        self._detector.staged_model = model_ref(model.info) if model else None

    def _result(self, stage: str, model: Model | None = None) -> ModelResult:
        transfer = self._transfer
        chosen: ModelRef | None = model_ref(model.info) if model else None
        return ModelResult(stage=stage, next_part=transfer.next_part, parts=transfer.parts, model=chosen)


def _stored(info: BundleInfo, use: str) -> StoredModel:
    return StoredModel(id=info.model_id, sha256=info.flatbuffer_sha256, use=use)
