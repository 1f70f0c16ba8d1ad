"""Carries out the commands that come over MQTT; the dispatcher has already checked form, rate and permission."""

import platform
from collections.abc import Callable
from functools import partial

from leakear.edge import __version__
from leakear.edge.evidence.recorder import Evidence
from leakear.edge.messages.recordings import RecordResult
from leakear.edge.messages.reports import parse_utc, utc_text
from leakear.edge.messages.requests import (
    REQUESTS,
    CalibrateRequest,
    ClipRequest,
    ModelRequest,
    RecordRequest,
    Request,
    ResendRequest,
    SetRequest,
    WatchRequest,
)
from leakear.edge.messages.results import (
    CalibrateResult,
    IdentifyResult,
    ModelResult,
    ResendResult,
    SelftestResult,
    SetResult,
    StatusResult,
    WatchResult,
)
from leakear.edge.mqtt.dispatcher import Clip, CommandOptions, CommandRefused, Dispatcher
from leakear.edge.node.detector import Detector
from leakear.edge.node.events import muted_text, state_message
from leakear.edge.node.reporter import Reporter
from leakear.edge.node.status import NodeStatus
from leakear.edge.recording.recorder import Recorder
from leakear.edge.remote import selftest
from leakear.edge.remote.calibrate import CalibrationControl
from leakear.edge.remote.model_store import ModelStore
from leakear.edge.remote.model_trial import TrialControl
from leakear.edge.remote.model_update import ModelControl
from leakear.edge.remote.onsite import Asked, OnSite
from leakear.edge.remote.resend import Resender

MEDIA = {"audio": "audio/flac", "picture": "image/png"}


class NodeControls:
    """Implements `Controls` with the parts of a running node."""

    def __init__(
        self,
        options: CommandOptions,
        *,
        detector: Detector,
        reporter: Reporter,
        evidence: Evidence,
        store: ModelStore,
        trial: TrialControl,
        resender: Resender,
        recorder: Recorder,
        idle: Callable[[], bool | None],
    ) -> None:
        self.reporter = reporter
        self.resender, self.recorder = resender, recorder
        self._detector, self._evidence, self._store = detector, evidence, store
        self.dispatcher = Dispatcher(options, self, partial(reporter.send, qos=1), idle=idle)
        self.model_control = ModelControl(
            detector, reporter, store, trial, lambda: self.dispatcher.options.max_model_bytes
        )
        self.calibration = CalibrationControl(detector, reporter)
        models: Callable[[ModelRequest], ModelResult] = partial(self.model_control.handle, where="on site")
        asked: Asked = {"model": models, "calibrate": self.calibrate, "selftest": self.selftest}
        self.on_site = OnSite(reporter.directory, asked)

    def identify(self, _: Request) -> IdentifyResult:
        """Return what this node is."""
        return identity_result(self.reporter.status(), self.dispatcher.options)

    def status(self, _: Request) -> StatusResult:
        """Return everything that holds now."""
        status = self.reporter.status()
        return StatusResult(
            state=state_message(status),
            telemetry=self.reporter.telemetry(),
            commands_done=self.dispatcher.done,
            commands_refused=self.dispatcher.refused,
            model_on_trial=status.trial is not None,
        )

    def set(self, request: SetRequest) -> SetResult:
        """Change what was given; the step first, because the site's rule may forbid it."""
        detector, reporter = self._detector, self.reporter
        until = None if request.mute_until is None else self._mute_end(request.mute_until)
        if request.step_s is not None:
            detector.refit(reporter.now[0], step_s=request.step_s)
        if request.as_configured:
            detector.reset_tuning()
        if request.threshold is not None or request.level_gate_dbfs is not None:
            detector.set_threshold(request.threshold, request.level_gate_dbfs)
        if until is not None:
            detector.mute(until)
        if request != SetRequest(id=request.id):
            reporter.save()  # a power cut must not undo what was answered with "ok"
            reporter.send_state()
        return set_result(reporter.status())

    def clip(self, request: ClipRequest) -> Clip:
        """Return the evidence of an event."""
        media_type = MEDIA[request.media]
        return Clip(request.event_id, media_type, self._evidence.fetch(request.event_id, media_type), request.wanted)

    def calibrate(self, request: CalibrateRequest) -> CalibrateResult:
        """Start, stop, show or apply a calibration."""
        return self.calibration.handle(request)

    def selftest(self, _: Request) -> SelftestResult:
        """Check everything now."""
        return selftest.run(self.reporter.status(), self.reporter.directory, self._store.reload)

    def model(self, request: ModelRequest) -> ModelResult:
        """Take, stage, install or discard a model."""
        return self.model_control.handle(request)

    def watch(self, request: WatchRequest) -> WatchResult:
        """Publish spectra for a while."""
        self.reporter.watch(request.seconds)
        return WatchResult(seconds=request.seconds)

    def resend(self, request: ResendRequest) -> ResendResult:
        """Send acknowledged events again."""
        return self.resender.handle(request)

    def record(self, request: RecordRequest) -> RecordResult:
        """Record at an exact time, or say how far a recording is."""
        return self.recorder.handle(request)

    def _mute_end(self, text: str) -> float:
        until, now = parse_utc(text), self.reporter.now[1]
        longest = self.dispatcher.options.max_mute_days
        if until > now + longest * 86400:
            raise CommandRefused(
                f"mute_until lies more than {longest:g} days ahead of the node's clock, {utc_text(now)}: mute for less."
            )
        return until


def identity_result(status: NodeStatus, options: CommandOptions) -> IdentifyResult:
    """Build the answer to `identify`."""
    allowed = {"clip": options.allow_clip, "record": options.allow_clip, "model": options.allow_model}
    return IdentifyResult(
        site=status.identity.site,
        node=status.identity.node,
        firmware=__version__,
        model=status.model,
        python=platform.python_version(),
        machine=platform.machine(),
        window_s=status.window_s,
        step_s=status.step_s,
        sample_rate=status.sample_rate,
        commands=tuple(name for name in REQUESTS if allowed.get(name, True)),
    )


def set_result(status: NodeStatus) -> SetResult:
    """Build the answer to `set`."""
    return SetResult(
        threshold=status.threshold,
        level_gate_dbfs=status.level_gate_dbfs,
        step_s=status.step_s,
        muted_until=muted_text(status),
    )
