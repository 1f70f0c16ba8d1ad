"""Assembly: builds a node and its parts from the settings, and closes them at the end."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from leakear.edge import __version__
from leakear.edge.audio.capture import CaptureStatus
from leakear.edge.evidence.recorder import Evidence
from leakear.edge.messages.reports import Event
from leakear.edge.metrics import MetricsServer, Snapshot, exposition
from leakear.edge.mqtt.homeassistant import Discovery, Introduction
from leakear.edge.mqtt.link import Link
from leakear.edge.node.allocator import return_large_buffers
from leakear.edge.node.detector import Detector
from leakear.edge.node.events import EventWriter, state_message
from leakear.edge.node.faults import Faults, SoftwareUpdate
from leakear.edge.node.node import Node, NodeParts
from leakear.edge.node.reload import Reloader
from leakear.edge.node.reporter import Reporter
from leakear.edge.node.restart import Restart, TimeKeeper
from leakear.edge.node.restart_count import RestartCounter
from leakear.edge.node.systemd import Notifier
from leakear.edge.outbox.queue import Outbox
from leakear.edge.pipeline import Result
from leakear.edge.recording.clock_bound import UNKNOWN, Bound
from leakear.edge.recording.recorder import Recorder
from leakear.edge.remote.handlers import NodeControls
from leakear.edge.remote.model_store import ModelStore
from leakear.edge.remote.model_trial import TrialControl
from leakear.edge.remote.resend import Resender
from leakear.edge.settings import Settings

log = logging.getLogger("leakear.node")

Observer = Callable[[Result, Event | None], None]


@dataclass(frozen=True)
class Given:
    """What the caller brings to the assembly."""

    clock: TimeKeeper
    capture: CaptureStatus
    bound: Callable[[], Bound]
    observers: tuple[Observer, ...]
    stack: ExitStack
    """what ends with the node"""
    apart: bool
    """whether this run is of another place than the node's own"""


@contextmanager
def open_node(
    settings: Settings,
    clock: TimeKeeper,
    *,
    connect: bool = True,
    monotonic: Callable[[], float] = time.monotonic,
    capture: CaptureStatus | None = None,
    bound: Callable[[], Bound] = lambda: UNKNOWN,
    observers: tuple[Observer, ...] = (),
    apart: bool = False,
) -> Iterator[Node]:
    """Yield a node ready to run; at the end its link is stopped and its outbox closed, whatever happens.

    `connect`: whether it talks to a broker. `monotonic`: the outbox's clock, s; a simulated day brings its own.
    `capture`: status of the microphone, filled by `Capture`. `bound`: how well the clock is known. `observers`: called
    with every result and its event. `apart`: what this run hears is of another place: the node
    learns nothing of it.
    Raises ConfigError and ModelError before anything is started.
    """
    store = ModelStore(settings.node.directory / "models", settings.model)
    detector = Detector(store.load(), settings)
    return_large_buffers()
    with ExitStack() as stack:
        outbox = stack.enter_context(Outbox(settings.node.directory / "outbox.db", settings.outbox, monotonic))
        link = Link(settings.mqtt, settings.node.identity, outbox) if connect else None
        if link:
            stack.callback(link.stop)
        given = Given(clock, capture or CaptureStatus(), bound, observers, stack, apart)
        yield _assemble(settings, given, store, detector, outbox, link)


def _assemble(
    settings: Settings, given: Given, store: ModelStore, detector: Detector, outbox: Outbox, link: Link | None
) -> Node:
    evidence = Evidence(settings.evidence, detector.model.info.spec, settings.node.directory / "evidence")
    counter, events, notifier = RestartCounter(), EventWriter(), Notifier()
    delivery = (outbox, link) if link else (outbox,)
    restart = Restart(outbox, given.clock, detector=detector, events=events, counter=counter, apart=given.apart)
    reporter = Reporter(
        settings.node,
        detector=detector,
        events=events,
        restart=restart,
        outbox=outbox,
        link=link,
        clock=given.clock,
        faults=Faults(detector, *delivery, evidence, given.clock, counter, store, SoftwareUpdate()),
        capture=given.capture,
        bound=given.bound,
    )
    parts, dispatcher = NodeParts(observers=given.observers), None
    if link:
        recorder = Recorder(
            settings.recording, rate=detector.model.info.spec.sample_rate, store=evidence, capture=given.capture,
            clock=reporter.clock, rule=lambda: detector.rule,
        )  # fmt: skip
        trial = TrialControl(detector, reporter, store, settings.model)
        controls = NodeControls(
            settings.commands, detector=detector, reporter=reporter, evidence=evidence, store=store, trial=trial,
            resender=Resender(outbox, link), recorder=recorder, idle=lambda: link.idle,
        )  # fmt: skip
        parts, dispatcher = _connected(settings, given, controls, trial, link), controls.dispatcher
    return Node(
        detector=detector,
        reporter=reporter,
        restart=restart,
        reloader=Reloader(settings, detector, reporter, link=link, notifier=notifier, dispatcher=dispatcher),
        outbox=outbox,
        link=link,
        evidence=evidence,
        notifier=notifier,
        parts=parts,
        max_lag_s=settings.window.max_lag_s,
    )


def _figures(settings: Settings, reporter: Reporter, stack: ExitStack) -> Snapshot:
    """Serve figures for Prometheus, as they are taken by what is returned."""

    def take() -> bytes:
        status = reporter.status()
        return exposition(state_message(status), reporter.telemetry(), connected=status.connected)

    snapshot = Snapshot(take)
    stack.enter_context(MetricsServer(settings.metrics, lambda: snapshot.text))
    return snapshot


def _announce_name(reporter: Reporter, former: str) -> None:
    """Report that this node had another name at its last start."""
    if former:
        reason = f"This node was {former} until now: what that name left on the broker is emptied."
        log.warning("%s", reason)
        reporter.announce("fault", reason)


def _connected(settings: Settings, given: Given, controls: NodeControls, trial: TrialControl, link: Link) -> NodeParts:
    """Connect commands and Home Assistant to the link; return what takes part in the loop."""
    link.on_command = controls.dispatcher.handle
    model, options = controls.model_control, settings.homeassistant
    discovery = Discovery(settings.node.identity, options, __version__, settings.node.telemetry_s)
    former = link.empty_left_behind(discovery.topic)
    tickers: tuple[Callable[[float], None], ...] = (
        controls.resender.tick,
        controls.on_site.tick,
        controls.dispatcher.tick,
        controls.recorder.tick,
    )
    if options.discovery != "off":
        tickers = (*tickers, Introduction(discovery, link, controls.reporter.send_state).tick)
    if settings.metrics.port:
        tickers = (*tickers, _figures(settings, controls.reporter, given.stack).tick)
    return NodeParts(
        starters=(model.announce_start, partial(_announce_name, controls.reporter, former)),
        observers=(trial.observe, controls.calibration.observe, *given.observers),
        tickers=tickers,
        listeners=(controls.recorder.take,),
        replace_model=trial.take_back,
    )
