"""`leakear-edge check` asks the broker: connects as the node itself would, and writes the availability it has now.

Client id, last will and the right to write are those of the node. While the daemon of this configuration runs, its
connection must not be taken over: another client id is used then, and the finding says what that cannot tell.
MQTT 3.1.1 has no word for "no", and mosquitto 2.1 throws away in silence what its access list refuses. A broker that is
to be spoken to in 3.1.1 is therefore asked for the right to write in MQTT 5 too, where it has that (decision 205).
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import paho.mqtt.client as paho

from leakear.edge.errors import ConfigError
from leakear.edge.messages.reports import Availability
from leakear.edge.mqtt import protocol_version
from leakear.edge.mqtt.connection import Connection, Wake, Will
from leakear.edge.mqtt.inbox import Answered, Inbox, Opened
from leakear.edge.mqtt.link import client_id
from leakear.edge.mqtt.protocol_version import ProtocolVersion
from leakear.edge.mqtt.refusals import reason_codes
from leakear.edge.node.checks import FAULT, OK, WARNING, Finding
from leakear.edge.outbox import sequence
from leakear.edge.settings import Settings

AFTERWARDS_S = 0.5
"""s in which a broker of MQTT 3.1.1 may cut the connection after it has acknowledged what it refuses"""


@dataclass(frozen=True)
class Said:
    """A message to publish."""

    suffix: str
    """of its topic"""
    payload: bytes
    retain: bool


@dataclass
class Answer:
    """What the broker said."""

    connection: Connection
    opened: Opened | None = None
    written: int | None = None
    """reason code of its answer to a publish; None: it gave none"""
    cut: bool = False
    """whether it closed the connection after that"""


def broker(settings: Settings, timeout_s: float = 10.0, *, unanswered: str = "") -> Finding:
    """Tell whether the broker lets this node in and takes its messages, within `timeout_s` s for each attempt.

    `unanswered`: a sentence for the remedy, what it means for the caller that the broker does not answer.
    """
    running = daemon_runs(settings)
    used = _name(settings, running=running)
    availability = Said("availability", Availability.OFFLINE.to_json(), retain=True)
    try:
        answer = _answer(settings, used, timeout_s, None if running else availability)
        if settings.mqtt.protocol == "3.1.1" and answer.written is not None and not answer.cut:
            answer = _in_words(settings, used, timeout_s, availability) or answer
    except ConfigError as error:
        return Finding("broker", FAULT, str(error), "correct [mqtt]")
    return _finding(settings, answer, used, unanswered, running=running)


def publish(
    settings: Settings, suffix: str, payload: bytes, timeout_s: float = 10.0, *, unanswered: str = ""
) -> Finding:
    """Publish one message under this node's topic, not retained, and tell whether the broker took it.

    `unanswered`: as in `broker`.
    """
    running = daemon_runs(settings)
    try:
        answer = _answer(settings, _name(settings, running=running), timeout_s, Said(suffix, payload, retain=False))
    except ConfigError as error:
        return Finding("broker", FAULT, str(error), "correct [mqtt]")
    topic, user = settings.node.identity.topic(suffix), answer.connection.user
    if answer.opened is None:
        return _finding(settings, answer, "", unanswered, running=running)
    if answer.written is not None and answer.written >= reason_codes.FAILURE:
        return Finding("broker", FAULT, reason_codes.explain_publish(answer.written, topic, user).sentence)
    if answer.cut or answer.written is None:
        said = f"{settings.mqtt.where} does not take {topic}"
        return Finding("broker", FAULT, said, "let this node write its topics there (docs/DELIVERY.md)")
    return Finding("broker", OK, f"{settings.mqtt.where} took {topic}")


def _name(settings: Settings, *, running: bool) -> str:
    """Return the client id to use: another one than the daemon's while that runs."""
    name = client_id(settings.mqtt, settings.node.identity)
    return f"{name}-check-{os.getpid()}" if running else name


def _answer(settings: Settings, used: str, timeout_s: float, said: Said | None) -> Answer:
    """Try in the ways in which the daemon would. Raises ConfigError."""
    version = ProtocolVersion(settings.mqtt.protocol)
    for _ in range(4):
        answer = _ask(settings, used, version, timeout_s, said)
        tried = answer.connection
        version.attempt_ended(refused=tried.version_refused, hung_up=tried.hung_up, retain_refused=tried.retain_refused)
        if answer.opened or tried.refusal or (version.number, version.retain) == (tried.protocol, tried.retains):
            break
    return answer


def _in_words(settings: Settings, used: str, timeout_s: float, said: Said) -> Answer | None:
    """Ask once more in MQTT 5; None: the broker does not know it, or refuses nothing."""
    asked = _ask(settings, used, ProtocolVersion("5"), timeout_s, said)
    refused = asked.written is not None and asked.written >= reason_codes.FAILURE
    return asked if asked.opened is not None and refused else None


def _finding(settings: Settings, answer: Answer, used: str, unanswered: str, *, running: bool) -> Finding:
    tried = answer.connection
    if answer.opened is not None:
        return _let_in(settings, answer, answer.opened, used, running=running)
    if tried.refusal is not None:
        remedy = "correct [mqtt], or the broker's rights"
        if running:
            remedy += f"; asked as {used}, for the daemon runs: look at its journal, the broker may know that one"
        return Finding("broker", FAULT, tried.refusal.sentence, remedy)
    remedy = f"is it running, is the address right? {unanswered}".rstrip()
    return Finding("broker", WARNING, f"{settings.mqtt.where} does not answer", remedy)


def _let_in(settings: Settings, answer: Answer, opened: Opened, used: str, *, running: bool) -> Finding:
    mqtt, tried = settings.mqtt, answer.connection
    version = f"MQTT {protocol_version.text(tried.protocol)}"
    topic = settings.node.identity.topic("availability")
    if answer.written is not None and answer.written >= reason_codes.FAILURE:
        return Finding("broker", FAULT, reason_codes.explain_publish(answer.written, topic, tried.user).sentence)
    if answer.cut:
        said = f"{mqtt.where} cuts the connection of {used} after {topic} was written"
        return Finding("broker", FAULT, said, "let this node write its topics there (docs/DELIVERY.md)")
    if not opened.retains:
        return Finding("broker", WARNING, reason_codes.keeps_nothing(mqtt.host).sentence)
    if running:
        remedy = "nothing to do; where a broker admits certain client ids only: the daemon runs, see its journal"
        return Finding("broker", OK, f"{mqtt.where} accepts {used}, {version}", remedy)
    return Finding("broker", OK, f"{mqtt.where} accepts this node as {used}, {version}")


def daemon_runs(settings: Settings) -> bool:
    """Whether a daemon of this configuration holds its state folder now."""
    path = settings.node.directory / "outbox.seq"
    try:
        return sequence.held(path)
    except FileNotFoundError:
        return False
    except OSError:  # not readable for this user: better take no connection away
        return True


class _Probe(Connection):
    """A connection that acknowledges nothing: commands that wait for the node are still there afterwards."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._client.manual_ack_set(True)


def _ask(settings: Settings, used: str, version: ProtocolVersion, timeout_s: float, said: Said | None) -> Answer:
    options = settings.mqtt if said else replace(settings.mqtt, session_expiry_s=0)
    identity, offline = settings.node.identity, Availability.OFFLINE.to_json()
    will = Will(identity.topic("availability" if said and said.retain else "check"), offline, version.retain)
    inbox, wake = Inbox(options.max_payload), Wake()
    probe = _Probe(options, used, will, inbox, wake, version.number)
    thread = threading.Thread(target=probe.run, daemon=True)
    thread.start()
    answer, deadline = Answer(probe), time.monotonic() + timeout_s

    def wait(until: Callable[[], bool], end: float) -> None:
        while thread.is_alive() and not until() and time.monotonic() < end:
            inbox.arrived.wait(0.05)
            for notice in inbox.take():
                if isinstance(notice, Opened):
                    answer.opened = notice
                elif isinstance(notice, Answered):
                    answer.written = notice.code

    wait(lambda: answer.opened is not None, deadline)
    if answer.opened is not None and said:
        probe.publish(identity.topic(said.suffix), said.payload, 1, said.retain and answer.opened.retains)
        wait(lambda: answer.written is not None, deadline)
        if probe.protocol != paho.MQTTv5:
            wait(lambda: False, time.monotonic() + AFTERWARDS_S)
        answer.cut = not thread.is_alive()
    probe.leave() if answer.opened is not None else probe.cut()
    thread.join(2)
    return answer
