"""The trial of a new model: beside the old one, which decides; then in use and watched, with the old one beside.

Every change is one write of the ledger, with the sentence of its event; the event is stored after it. A process that is
killed in between stores the event at its next start.
"""

import logging

from leakear.edge.decision.comparison import DAY_S
from leakear.edge.errors import LeakearError, ModelError
from leakear.edge.messages.reports import Event
from leakear.edge.model.tflite import Model, ModelOptions
from leakear.edge.node.detector import Detector
from leakear.edge.node.reporter import Reporter
from leakear.edge.pipeline import Result
from leakear.edge.remote.ledger import CONFIGURED
from leakear.edge.remote.model_store import ModelStore, created_at

log = logging.getLogger(__name__)

PROVEN_WINDOWS = 10
"""Windows that a new model must score in a run of the daemon before a crash of it is no longer counted."""


class TrialControl:
    """The trial of one node. `observe` is called with every result, `take_back` when the model in use fails."""

    def __init__(self, detector: Detector, reporter: Reporter, store: ModelStore, options: ModelOptions) -> None:
        self._detector, self._reporter, self._store = detector, reporter, store
        self._trial_s, self._watch_s = options.trial_h * 3600, options.watch_h * 3600
        self._day_s = min(DAY_S, self._watch_s)
        self._scored = 0
        self._resume()

    # ---- begin and end

    def begin(self, model: Model, *, trial: bool) -> str:
        """Put the staged model on trial, or (`trial` false) to use at once; return the stage it has reached.

        Raises ConfigError where the rule of this site does not fit it, and OSError; then nothing has changed.
        """
        self._detector.check(model)
        new, old = model.info.model_id, self._detector.model.info.model_id
        self._scored = 0
        if trial:
            self._detector.trust()  # a model that was still watched stays
            self._store.begin_trial(
                f"{new} is on trial for {_span(self._trial_s)} beside {old}, which decides until then."
            )
            self._put_beside(model, decides=False)
        else:
            before = self._detector.model
            self._store.install(
                f"{new} replaced {old} without a trial; it is watched for {_span(self._watch_s)}.",
                created_at(model.info),
            )
            self._use(model, before)
        self.tell()
        return "trial" if trial else "installed"

    def discard(self) -> None:
        """Give up the trial: a person does not want the candidate any more."""
        beside = self._detector.beside
        what = beside.model.info.model_id if beside is not None else "The model on trial"
        self._detector.beside = None
        self._store.refuse(f"{what} was discarded: its trial is over.")
        self.tell()

    def go_back(self, name: str, model: Model, where: str) -> None:
        """Use a model again that a person has chosen, by its name in the ledger; a trial is over.

        Raises ConfigError where the rule of this site does not fit it, and OSError; then nothing has changed.
        """
        self._detector.check(model)
        replaced, chosen, beside = self._detector.model.info.model_id, model.info.model_id, self._detector.beside
        sentence = f"{chosen} is in use again instead of {replaced}: asked {where}."
        if chosen == replaced and beside is not None:
            sentence = f"{chosen} stays in use, the trial of {beside.model.info.model_id} is over: asked {where}."
        self._store.return_to(name, sentence)
        self._detector.beside = None
        self._detector.refit(self._reporter.now[0], model=model)
        self.tell()

    def tell(self) -> None:
        """Store the event about the last change, if it is not stored yet."""
        if sentence := self._store.ledger.untold:
            log.warning("%s", sentence)
            self._reporter.announce("model", sentence)
            self._store.told()

    # ---- with every window

    def observe(self, result: Result, _: Event | None) -> None:
        """Compare both models on a window; end the trial when it is over or when they differ too much."""
        self._store.maintain()
        self._count(result)
        beside = self._detector.beside
        if beside is None:
            return
        try:
            compared = beside.follow(result, self._detector.pipeline.decision.rule)
        except ModelError as error:
            self._beside_failed(error)
            return
        if not compared:
            return
        if beside.decides:
            self._watch()
        else:
            self._try()

    def take_back(self, error: ModelError) -> bool:
        """Replace a new model in use that failed on a window by the one before it. False: it was trusted already."""
        if not self._store.ledger.watched:
            return False
        self._fall_back(str(error))
        return True

    def _try(self) -> None:
        beside = self._detector.beside
        assert beside is not None
        new, old = beside.model.info.model_id, self._detector.model.info.model_id
        why = beside.comparison.refused(self._trial_s)
        if why is not None:
            self._detector.beside = None
            self._store.refuse(
                f"{new} did not pass its trial beside {old}, which goes on: {why}. If there is a leak that {old} does "
                "not hear, send it again with --no-trial."
            )
            self.tell()
        elif beside.over:
            self._promote()

    def _promote(self) -> None:
        beside, before = self._detector.beside, self._detector.model
        assert beside is not None
        model, heard_s = beside.model, beside.comparison.old_on_s
        sentence = (
            f"{model.info.model_id} has passed its trial and replaced {before.info.model_id}, which heard leak-like "
            f"sound for {_span(heard_s)} of it; it is watched for {_span(self._watch_s)}."
        )
        try:
            self._store.promote(sentence, created_at(model.info))
        except OSError as error:  # the old one goes on deciding; the next window tries again
            log.warning("%s cannot be put to use yet: %s", model.info.model_id, error)
            return
        self._use(model, before)
        self.tell()

    def _watch(self) -> None:
        beside = self._detector.beside
        assert beside is not None
        if why := beside.comparison.taken_back(self._day_s, tried=self._store.ledger.tried):
            self._fall_back(why)
        elif beside.over:
            self._settle(f"is confirmed after {_span(beside.heard_s)}")
        elif beside.comparison.heard_s >= self._day_s:
            beside.next_day()

    def _settle(self, how: str) -> None:
        self._detector.beside = None
        self._detector.trust()
        self._store.settle(f"{self._detector.model.info.model_id} {how}.")
        self.tell()

    def _fall_back(self, why: str) -> None:
        failed, beside = self._detector.model.info.model_id, self._detector.beside
        before = self._before_name()
        self._store.fall_back(f"{failed} was taken back for {before}: {why}.")
        model = beside.model if beside is not None else self._store.reload()
        self._detector.beside = None
        self._detector.refit(self._reporter.now[0], model=model)
        self.tell()

    def _beside_failed(self, error: ModelError) -> None:
        beside = self._detector.beside
        assert beside is not None
        self._detector.beside = None
        if beside.decides:
            self._settle(f"is confirmed: the model before it cannot be compared any more ({error})")
            return
        self._store.refuse(f"{beside.model.info.model_id} did not pass its trial: {error}.")
        self.tell()

    def _count(self, result: Result) -> None:
        if self._store.ledger.starts and result.score is not None:
            self._scored += 1
            if self._scored >= PROVEN_WINDOWS:
                self._store.survived()

    # ---- models in memory

    def _resume(self) -> None:
        """Continue the trial of the ledger at a start."""
        ledger = self._store.ledger
        if not (ledger.candidate or ledger.watched):
            return
        if ledger.watched and not ledger.candidate:
            self._detector.distrust()
        name = ledger.candidate or (ledger.before or (CONFIGURED,))[0]
        try:
            self._put_beside(self._store.read(self._store.file(name)), decides=not ledger.candidate)
        except LeakearError as error:
            log.error("the model beside cannot be loaded: %s", error)  # noqa: TRY400
            if ledger.candidate:
                self._store.refuse(f"The model on trial was given up: {error}")
            else:
                self._detector.trust()
                self._store.settle(f"The model in use is confirmed: the one before it cannot be compared: {error}")

    def _use(self, model: Model, before: Model) -> None:
        self._detector.beside = None
        self._detector.refit(self._reporter.now[0], model=model)
        self._detector.distrust()
        self._put_beside(before, decides=True)

    def _put_beside(self, model: Model, *, decides: bool) -> None:
        length_s = self._watch_s if decides else self._trial_s
        self._detector.put_beside(model, self._reporter.now[0], decides=decides, length_s=length_s)

    def _before_name(self) -> str:
        beside = self._detector.beside
        return beside.model.info.model_id if beside is not None else "the model before it"


def _span(seconds: float) -> str:
    return f"{seconds / 3600:.3g} h" if seconds >= 3600 else f"{seconds / 60:.3g} min"
