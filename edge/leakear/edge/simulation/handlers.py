"""What a simulated node does when it is asked: it tells and changes what it has, and refuses what takes an ear."""

import platform
from typing import TYPE_CHECKING, NoReturn

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
    Check,
    IdentifyResult,
    ModelResult,
    SelftestResult,
    SetResult,
    StatusResult,
    WatchResult,
)
from leakear.edge.mqtt.dispatcher import Clip, CommandRefused

if TYPE_CHECKING:
    from leakear.edge.simulation.node import SimulatedNode


class SimulatedControls:
    """Implements `Controls` on a simulated node."""

    def __init__(self, node: "SimulatedNode") -> None:
        self._node = node

    def identify(self, _: Request) -> IdentifyResult:
        """Say what this node is."""
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
            commands=tuple(name for name in REQUESTS if name not in ("clip", "calibrate", "model")),
        )

    def status(self, _: Request) -> StatusResult:
        """Give everything that holds now."""
        node = self._node
        return StatusResult(
            state=node.state_message(),
            telemetry=node.telemetry_message(),
            commands_done=node.dispatcher.done,
            commands_refused=node.dispatcher.refused,
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
        """Say that there is nothing to look at."""
        check = Check(name="sensor", ok=False, detail="this node is simulated: it has no ear")
        return SelftestResult(passed=False, checks=(check,))

    def watch(self, request: WatchRequest) -> WatchResult:
        """Publish made-up spectra for a while."""
        self._node.watched_until = self._node.now + request.seconds
        return WatchResult(seconds=request.seconds)

    def clip(self, _: ClipRequest) -> Clip:
        """Refuse."""
        _refuse()

    def calibrate(self, _: CalibrateRequest) -> CalibrateResult:
        """Refuse."""
        _refuse()

    def model(self, _: ModelRequest) -> ModelResult:
        """Refuse."""
        _refuse()


def _refuse() -> NoReturn:
    raise CommandRefused("This node is simulated: it has no ear, no model and no evidence.")
