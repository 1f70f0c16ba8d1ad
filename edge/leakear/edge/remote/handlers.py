"""What the node does when it is asked over MQTT (`commands` has already checked who asks for what, and how often)."""

import platform
from functools import partial
from typing import TYPE_CHECKING, Self

from leakear.edge import __version__
from leakear.edge.messages.reports import parse_utc, utc_text
from leakear.edge.messages.requests import (
    REQUESTS,
    CalibrateRequest,
    ClipRequest,
    ModelRequest,
    Request,
    SetRequest,
    WatchRequest,
)
from leakear.edge.messages.results import (
    CalibrateResult,
    IdentifyResult,
    ModelResult,
    SelftestResult,
    SetResult,
    StatusResult,
    WatchResult,
)
from leakear.edge.mqtt.dispatcher import Clip, CommandRefused, Dispatcher
from leakear.edge.node import detector, telemetry
from leakear.edge.remote import selftest
from leakear.edge.remote.calibrate import CalibrationControl
from leakear.edge.remote.model_store import ModelStore
from leakear.edge.remote.model_update import ModelControl

if TYPE_CHECKING:
    from leakear.edge.node.node import Node

MEDIA = {"audio": "audio/flac", "picture": "image/png"}


class NodeControls:
    """Implements `Controls` on a running node."""

    def __init__(self, node: "Node", store: ModelStore) -> None:
        self._node, self._store = node, store
        self.model_control = ModelControl(node, store, node.settings.commands.max_model_bytes)
        self.calibration = CalibrationControl(node)
        self.dispatcher = Dispatcher(node.settings.commands, self, partial(node.send, qos=1))

    @classmethod
    def attach(cls, node: "Node", store: ModelStore) -> Self:
        """Let a node be asked over its link."""
        controls = cls(node, store)
        node.observers += [controls.model_control.observe, controls.calibration.observe]
        node.rescue = controls.model_control.rescue
        if node.link:
            node.link.on_command = controls.on_command
        return controls

    def on_command(self, name: str, payload: bytes) -> None:
        """Take a command from the link, by the options in force (a reload may have changed them)."""
        if self.dispatcher.options != self._node.settings.commands:
            self.dispatcher.configure(self._node.settings.commands)
        self.dispatcher.handle(name, payload)

    def identify(self, _: Request) -> IdentifyResult:
        """Say what this node is."""
        node, commands = self._node, self._node.settings.commands
        allowed = {"clip": commands.allow_clip, "model": commands.allow_model}
        return IdentifyResult(
            site=node.settings.node.identity.site,
            node=node.settings.node.identity.node,
            firmware=__version__,
            model=node.news.speaker.model,
            python=platform.python_version(),
            machine=platform.machine(),
            window_s=node.news.speaker.window_s,
            step_s=node.pipeline.step_s,
            sample_rate=node.model.info.spec.sample_rate,
            commands=tuple(name for name in REQUESTS if allowed.get(name, True)),
        )

    def status(self, _: Request) -> StatusResult:
        """Give everything that holds now."""
        return StatusResult(
            state=self._node.news.state(),
            telemetry=telemetry.telemetry(self._node),
            commands_done=self.dispatcher.done,
            commands_refused=self.dispatcher.refused,
            model_on_trial=self.model_control.on_trial,
        )

    def set(self, request: SetRequest) -> SetResult:
        """Change what was given; the step first, because the site's rule may forbid it."""
        node = self._node
        until = None if request.mute_until is None else self._mute_end(request.mute_until)
        if request.step_s is not None:
            detector.refit(node, step_s=request.step_s)
            node.save()  # a power cut must not undo what was answered with "ok"
        if request.as_configured:
            detector.as_configured(node)
        if request.threshold is not None or request.level_gate_dbfs is not None:
            detector.set_threshold(node, request.threshold, request.level_gate_dbfs)
        if until is not None:
            detector.mute(node, until)
        muted = node.muted_until
        return SetResult(
            threshold=node.pipeline.decision.rule.threshold,
            level_gate_dbfs=node.news.state().level_gate_dbfs,
            step_s=node.pipeline.step_s,
            muted_until=None if muted is None else utc_text(muted),
        )

    def clip(self, request: ClipRequest) -> Clip:
        """Fetch the evidence of an event."""
        media_type = MEDIA[request.media]
        return Clip(request.event_id, media_type, self._node.evidence.fetch(request.event_id, media_type))

    def calibrate(self, request: CalibrateRequest) -> CalibrateResult:
        """Start, stop, report or apply a calibration."""
        return self.calibration.handle(request)

    def selftest(self, _: Request) -> SelftestResult:
        """Look at everything now."""
        return selftest.run(self._node, self._store.reload)

    def model(self, request: ModelRequest) -> ModelResult:
        """Take, stage, install or discard a model."""
        return self.model_control.handle(request)

    def watch(self, request: WatchRequest) -> WatchResult:
        """Publish spectra for a while."""
        self._node.watched_until = self._node.now[0] + request.seconds
        return WatchResult(seconds=request.seconds)

    def _mute_end(self, text: str) -> float:
        until, now = parse_utc(text), self._node.now[1]
        longest = self._node.settings.commands.max_mute_days
        if until > now + longest * 86400:
            raise CommandRefused(
                f"mute_until lies more than {longest:g} days ahead of the node's clock, {utc_text(now)}: mute for less."
            )
        return until
