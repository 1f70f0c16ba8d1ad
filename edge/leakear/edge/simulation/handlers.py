"""Carries out commands on a simulated node: shows and changes what it has, refuses what needs a microphone."""

import platform
from collections.abc import Callable
from functools import partial
from typing import NoReturn, Protocol

from leakear.edge.messages.recordings import RecordResult
from leakear.edge.messages.reports import State, Telemetry
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
    Check,
    IdentifyResult,
    ModelResult,
    ResendResult,
    SelftestResult,
    SetResult,
    StatusResult,
    WatchResult,
)
from leakear.edge.mqtt.dispatcher import Clip, CommandOptions, CommandRefused, Dispatcher
from leakear.edge.remote.resend import Resender


class Simulated(Protocol):
    """What a simulated node shows and lets commands change."""

    threshold: float
    """P(leak)"""
    step_s: float
    muted_until: str | None
    """UTC; None: not muted"""

    def state_message(self) -> State:
        """Return what holds now."""

    def telemetry_message(self) -> Telemetry:
        """Return the telemetry message of this moment."""

    def send_state(self) -> None:
        """Publish the state now."""

    def watch(self, seconds: float) -> None:
        """Publish spectra for some seconds."""


class SimulatedControls:
    """Implements `Controls` on a simulated node."""

    def __init__(self, node: Simulated, send: Callable[..., object], resender: Resender) -> None:
        self._node, self.resender = node, resender
        self.dispatcher = Dispatcher(CommandOptions(), self, partial(send, qos=1))

    def identify(self, _: Request) -> IdentifyResult:
        """Return what this node is."""
        state = self._node.state_message()
        return IdentifyResult(
            site=state.site,
            node=state.node,
            firmware=state.firmware,
            model=state.model,
            python=platform.python_version(),
            machine="simulated",
            window_s=state.window_s,
            step_s=state.step_s,
            sample_rate=22050,
            commands=tuple(name for name in REQUESTS if name not in ("clip", "calibrate", "model", "record")),
        )

    def status(self, _: Request) -> StatusResult:
        """Return everything that holds now."""
        node = self._node
        return StatusResult(
            state=node.state_message(),
            telemetry=node.telemetry_message(),
            commands_done=self.dispatcher.done,
            commands_refused=self.dispatcher.refused,
            model_on_trial=False,
        )

    def set(self, request: SetRequest) -> SetResult:
        """Change what was given."""
        node = self._node
        node.threshold = node.threshold if request.threshold is None else request.threshold
        node.step_s = node.step_s if request.step_s is None else request.step_s
        node.muted_until = node.muted_until if request.mute_until is None else request.mute_until
        node.send_state()
        return SetResult(threshold=node.threshold, step_s=node.step_s, muted_until=node.muted_until)

    def selftest(self, _: Request) -> SelftestResult:
        """Report that there is no sensor to check."""
        check = Check(name="sensor", ok=False, detail="this node is simulated: it has no microphone")
        return SelftestResult(passed=False, checks=(check,))

    def watch(self, request: WatchRequest) -> WatchResult:
        """Publish made-up spectra for a while."""
        self._node.watch(request.seconds)
        return WatchResult(seconds=request.seconds)

    def resend(self, request: ResendRequest) -> ResendResult:
        """Send acknowledged events again."""
        return self.resender.handle(request)

    def clip(self, _: ClipRequest) -> Clip:
        """Refuse."""
        _refuse()

    def record(self, _: RecordRequest) -> RecordResult:
        """Refuse."""
        _refuse()

    def calibrate(self, _: CalibrateRequest) -> CalibrateResult:
        """Refuse."""
        _refuse()

    def model(self, _: ModelRequest) -> ModelResult:
        """Refuse."""
        _refuse()


def _refuse() -> NoReturn:
    raise CommandRefused("This node is simulated: it has no microphone, no model and no evidence.")
