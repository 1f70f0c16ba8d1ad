"""An operator's connection to the broker: asks nodes over `cmd/…` and waits for each answer."""

import argparse
import itertools
import json
import os
import queue
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from leakear.edge.command_line import number
from leakear.edge.errors import ConfigError, DeliveryError, LeakearError, UsageError
from leakear.edge.messages.codec import MessageError
from leakear.edge.messages.reports import CommandResult, Identity
from leakear.edge.mqtt import credentials, tls
from leakear.edge.mqtt.options import MqttOptions

CONNECT_S, LOOK_S = 15.0, 2.0
"""s to wait for the broker, and for the retained messages that say which nodes a site has"""
PASSWORD = "MQTT_PASSWORD"  # noqa: S105 - the name of a variable
FLOODED = "Too many commands: wait."
"""What a node answers, without the id of the request, when it is asked too often."""
UNREADABLE = "its answer cannot be read"


class NoAnswer(LeakearError):  # noqa: N818 - it is an expected result, not a failure
    """A node did not answer in time."""


def add_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Declare how nodes and their broker are named."""
    group = parser.add_argument_group("nodes and broker")
    group.add_argument(
        "--to", nargs="+", default=[], metavar="SITE/NODE", required=required, help="nodes; SITE/* is all of a site"
    )
    group.add_argument("--broker", metavar="URL", required=required, help="mqtts://HOST[:8883] or mqtt://HOST[:1883]")
    group.add_argument("--username", default="", help="user on the broker")
    group.add_argument("--password-file", default="", help=f"file that holds the password (else: {PASSWORD})")
    group.add_argument("--ca", default="", help="PEM file of the broker's CA (the system's)")
    group.add_argument("--client-certificate", default="", help="for a broker that wants one (PEM)")
    group.add_argument("--client-key", default="", help="its key (PEM; in the certificate's file)")
    group.add_argument("--wait", type=number(1, 3600), default=30.0, help="s to wait for each answer of a node (30)")


def options_of(args: argparse.Namespace) -> MqttOptions:
    """Return the connection that the arguments name. Raises UsageError or ConfigError that names the option."""
    parts = urlsplit(args.broker or "")
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path not in ("", "/"):
        raise UsageError("--broker: write mqtts://HOST, mqtts://HOST:PORT, or the same with mqtt:// (no encryption)")
    if parts.password:
        raise UsageError(f"--broker holds a password: other users see it; put it into {PASSWORD} or --password-file")
    try:
        return MqttOptions(
            host=parts.hostname,
            port=parts.port or 0,
            username=args.username or unquote(parts.username or ""),
            password="" if args.password_file else os.environ.get(PASSWORD, ""),
            password_file=args.password_file,
            tls=parts.scheme == "mqtts",
            ca_file=args.ca,
            client_certificate=args.client_certificate,
            client_key=args.client_key,
        )
    except ValueError as error:
        raise ConfigError(_in_words_of_this_command(str(error))) from None


class Operator:
    """Asks nodes, one command after the other."""

    def __init__(self, options: MqttOptions, wait_s: float) -> None:
        self._options, self._wait_s = options, wait_s
        self._received: queue.SimpleQueue[paho.MQTTMessage] = queue.SimpleQueue()
        self._subscribed = threading.Event()
        self._connected: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._numbers = itertools.count()
        self._name = f"leakear-deploy-{secrets.token_hex(4)}"
        self._client = self._made(options)

    def nodes(self, wanted: list[str]) -> list[Identity]:
        """Return the nodes that `SITE/NODE` and `SITE/*` name, each once. Raises UsageError or DeliveryError."""
        found: dict[Identity, None] = {}
        for text in wanted:
            site, _, name = text.partition("/")
            if name != "*":
                found[identity(text)] = None
                continue
            Identity(site, "node")
            at_site = self._at_site(site)
            if not at_site:
                raise DeliveryError(f"--to {text}: the broker knows no node of this site")
            found |= dict.fromkeys(at_site)
        return list(found)

    def ask(self, node: Identity, name: str, values: dict[str, Any]) -> CommandResult:
        """Send a command and return the node's answer. Raises NoAnswer."""
        topic = node.topic(f"cmd/{name}/result")
        self._subscribe(topic)
        request = f"{self._name}-{next(self._numbers)}"
        payload = json.dumps({**values, "id": request}).encode()
        deadline = time.monotonic() + self._wait_s
        self._publish(node.topic(f"cmd/{name}"), payload)
        for message in self._until(deadline):
            if message.topic != topic:
                continue
            try:
                answer = CommandResult.from_json(bytes(message.payload))
            except MessageError:
                continue
            if answer.id == request:
                return answer
            if not answer.id and answer.error == FLOODED:
                time.sleep(1)
                self._publish(node.topic(f"cmd/{name}"), payload)
        raise NoAnswer(f"no answer within {self._wait_s:g} s: is the node online, and may this user send it commands?")

    # ---- connection

    def _made(self, options: MqttOptions) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, self._name, protocol=paho.MQTTv5)
        login = credentials.login(options.username, options.password, options.password_file)
        if login.username:
            client.username_pw_set(login.username, login.password or None)
        if options.tls:
            client.tls_set_context(tls.context(options.tls_files, options.tls_minimum))
        client.on_message = lambda _, __, message: self._received.put(message)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_connect = lambda _, __, ___, code, ____: self._connected.put(str(code) if code.is_failure else "")
        return client

    def connect(self) -> None:
        """Connect; the broker keeps answers while the connection breaks. Raises DeliveryError with the reason."""
        where, session = self._options.where, Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = int(self._wait_s) + 1
        try:
            self._client.connect(self._options.host, self._options.effective_port, 30, properties=session)
            self._client.loop_start()
            refused = self._connected.get(timeout=CONNECT_S)
        except (OSError, ValueError) as error:
            raise DeliveryError(f"--broker {where} cannot be reached: {error}") from None
        except queue.Empty:
            raise DeliveryError(f"--broker {where} gave no answer within {CONNECT_S:g} s") from None
        if refused:
            raise DeliveryError(f"--broker {where} does not let this user in: {refused}")

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(self, topic: str) -> None:
        self._subscribed.clear()
        self._client.subscribe(topic, qos=1)
        if not self._subscribed.wait(CONNECT_S):
            raise DeliveryError(f"--broker {self._options.where} is gone")

    def _publish(self, topic: str, payload: bytes) -> None:
        """Publish; the broker drops what a node has not taken by the time nobody waits for the answer any more."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = int(self._wait_s) + 1
        self._client.publish(topic, payload, 1, properties=properties)

    def _at_site(self, site: str) -> list[Identity]:
        topic = f"{Identity.ROOT}/{site}/+/availability"
        self._subscribe(topic)
        found = [Identity.parse_topic(message.topic)[0] for message in self._until(time.monotonic() + LOOK_S)]
        self._client.unsubscribe(topic)
        return sorted(found, key=lambda node: node.node)

    def _until(self, deadline: float) -> Iterator[paho.MQTTMessage]:
        while (left := deadline - time.monotonic()) > 0:
            try:
                yield self._received.get(timeout=left)
            except queue.Empty:
                return


@contextmanager
def connected(args: argparse.Namespace) -> Iterator[Operator]:
    """Yield a connected operator. Raises UsageError, ConfigError or DeliveryError that names the option."""
    try:
        operator = Operator(options_of(args), args.wait)
    except ConfigError as error:
        raise ConfigError(_in_words_of_this_command(str(error))) from None
    operator.connect()
    try:
        yield operator
    finally:
        operator.close()


def identity(text: str) -> Identity:
    """Read SITE/NODE. Raises UsageError."""
    site, slash, name = text.partition("/")
    try:
        if slash:
            return Identity(site, name)
    except ConfigError as error:
        raise UsageError(f"--to {text}: {error}") from None
    raise UsageError(f"--to {text}: write SITE/NODE, or SITE/* for all nodes of a site")


def report(rows: list[dict[str, Any]], *, as_json: bool, **about: Any) -> int:
    """Print what became of each node; return the exit code: 1 where one of them did not do it."""
    failed = [row for row in rows if not row["ok"]]
    if as_json:
        print(json.dumps({"ok": not failed, **about, "nodes": rows}))
    else:
        for row in rows:
            print(f"{row['node']:30}  {row['says']}")
        print(f"{len(rows) - len(failed)} of {len(rows)} nodes did it")
    return 1 if failed else 0


def _in_words_of_this_command(sentence: str) -> str:
    for key, flag in (
        ("mqtt.ca_file", "--ca"),
        ("mqtt.client_certificate", "--client-certificate"),
        ("mqtt.client_key", "--client-key"),
        ("mqtt.password_file", "--password-file"),
        ("mqtt.username", "--username"),
        ("mqtt.host", "--broker"),
    ):
        sentence = sentence.replace(key, flag)
    return sentence
