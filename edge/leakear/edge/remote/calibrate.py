"""Calibration while the daemon listens: the same as `leakear-edge calibrate`, started by a command.

Nothing changes until `apply`. A restart, another step or another model ends a calibration.
"""

from leakear.edge.decision.calibration import Baseline, CalibrationRefused, Proposal, propose
from leakear.edge.decision.state_machine import State
from leakear.edge.messages.reports import Event
from leakear.edge.messages.requests import CalibrateRequest
from leakear.edge.messages.results import CalibrateResult
from leakear.edge.mqtt.dispatcher import CommandRefused
from leakear.edge.node.detector import Detector
from leakear.edge.node.reporter import Reporter
from leakear.edge.pipeline import Pipeline, Result

NO_LEAK = "a person has stated that there is no leak"


class CalibrationControl:
    """The calibration of one node; `observe` is called with every result."""

    def __init__(self, detector: Detector, reporter: Reporter) -> None:
        self._detector, self._reporter = detector, reporter
        self._phase, self._reason = "idle", "No calibration was started."
        self._pipeline: Pipeline | None = None
        self._baseline = Baseline(1.0)
        self._budget = 1.0
        self._ends = 0.0
        self._proposal: Proposal | None = None
        self._learnt_with = detector.model_ref

    def handle(self, request: CalibrateRequest) -> CalibrateResult:
        """Carry out `calibrate`."""
        if request.action == "start":
            self._start(request)
        elif request.action == "cancel":
            self._rest("idle", "The calibration was given up.")
        elif request.action == "apply":
            self._apply()
        elif request.action == "accept_floor":
            self._accept_floor()
        elif request.action == "not_a_leak":
            self._accept()
        return self._result()

    def observe(self, result: Result, _: Event | None) -> None:
        """Learn from a result; at the end of the time, make a proposal."""
        if self._phase != "learning":
            return
        if self._detector.pipeline is not self._pipeline:
            self._rest("refused", "The model or the step changed meanwhile: start again.")
            return
        self._baseline.add(*result.trusted)
        if self._reporter.now[0] >= self._ends:
            self._conclude()

    def _start(self, request: CalibrateRequest) -> None:
        self._pipeline = self._detector.pipeline
        self._baseline = Baseline(self._detector.pipeline.step_s)
        self._learnt_with = self._detector.model_ref
        self._budget, self._proposal = request.false_alarms_per_week, None
        self._ends = self._reporter.now[0] + request.hours * 3600
        self._phase, self._reason = "learning", f"Learning for {request.hours:g} hours: keep the site quiet."

    def _conclude(self) -> None:
        rule, info = self._detector.rule, self._detector.model.info
        try:
            self._proposal = propose(
                self._baseline,
                on_fraction=rule.on_fraction,
                span_s=rule.span_s,
                gated=info.spec.reference != "own",
                model_threshold=info.threshold,
                false_alarms_per_week=self._budget,
            )
        except CalibrationRefused as error:
            self._rest("refused", str(error))
        else:
            self._phase, self._reason = "ready", self._proposal.reason

    def _apply(self) -> None:
        if self._proposal is None:
            raise CommandRefused("There is no proposal to apply: start a calibration and wait until it is ready.")
        if self._detector.model_ref != self._learnt_with:
            self._rest("refused", "The model changed meanwhile: start again.")
            raise CommandRefused("The proposal was learnt with another model: start a calibration again.")
        self._detector.learn_anew()
        self._detector.set_threshold(self._proposal.threshold, self._proposal.level_gate_dbfs)
        self._reporter.save()
        self._reporter.send_state()
        self._rest("idle", f"Applied: threshold {self._proposal.threshold:g}.")

    def _accept_floor(self) -> None:
        self._detector.accept_floor()
        self._reporter.announce(
            "fault", "a person accepted the present noise floor: the background is learnt from the beginning"
        )
        self._reporter.save()

    def _accept(self) -> None:
        """Take what is suspected for the background. Where that ends an alert, the next window's event says so."""
        if not self._detector.suspects:
            raise CommandRefused("No leak is suspected and no new sound is held back: there is nothing to state.")
        alert = self._detector.pipeline.decision.state in (State.WARNING, State.LEAK)
        self._detector.accept()
        if alert:
            self._reporter.save()
        else:
            self._reporter.announce("fault", NO_LEAK)

    def _rest(self, phase: str, reason: str) -> None:
        self._phase, self._reason, self._pipeline = phase, reason, None
        self._baseline, self._proposal = Baseline(1.0), self._proposal if phase == "ready" else None

    def _result(self) -> CalibrateResult:
        learning = self._phase == "learning"
        return CalibrateResult(
            phase=self._phase,
            heard_s=self._baseline.heard_s,
            remaining_s=max(0.0, self._ends - self._reporter.now[0]) if learning else 0.0,
            threshold=self._proposal.threshold if self._proposal else None,
            level_gate_dbfs=self._proposal.level_gate_dbfs if self._proposal else None,
            reason=self._reason[:500],
        )
