"""A real mosquitto with the files that systemd/mosquitto ships, and users made by systemd/broker."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leakear.edge.messages.reports import Identity
from leakear.edge.mqtt.link import Link, MqttOptions
from leakear.edge.outbox.queue import Outbox
from tests.support.broker import Broker, Subscriber, free_port
from tests.support.certificates import Authority
from tests.support.places import ROOT

TOOL = ROOT / "systemd" / "broker"
FILES = ROOT / "systemd" / "mosquitto"


@dataclass
class ShippedBroker(Broker):
    """`port`: of the nodes; `watchers_port`. `nodes` and `watchers` have users, whose passwords are in `words`."""

    authority: Authority | None = None
    nodes: tuple[tuple[str, str], ...] = (("hill", "n1"), ("hill", "n2"))
    watchers: tuple[str, ...] = ("monitor", "operator")
    words: dict[str, str] = field(default_factory=dict)
    watchers_port: int = 0

    def _configuration(self) -> str:
        self.watchers_port = self.watchers_port or free_port()
        text = (FILES / "leakear.conf").read_text()
        text = text.replace("listener 8883", f"listener {self.port} {self.host}")
        text = text.replace("listener 8884", f"listener {self.watchers_port} {self.host}")
        text = text.replace("/etc/mosquitto/leakear/", f"{self.folder}/")
        if self.authority is not None:
            server = self.authority.issue("server")
            for name, path in (
                ("ca.pem", self.authority.cafile),
                ("broker.crt", server.certificate),
                ("broker.key", server.key),
            ):
                (self.folder / name).write_bytes(Path(path).read_bytes())
        else:  # most tests go without: certificates are tried in their own
            text = re.sub(r"^(cafile|certfile|keyfile|tls_version) .*$", "", text, flags=re.MULTILINE)
        self._run("install")
        for site, node in self.nodes:
            self.words[f"{site}.{node}"] = self.add_node(site, node)
        for name in self.watchers:
            said = self._run("add-watcher", name)
            self.words[name] = re.findall(r"has the password (\S+) ", said)[0]
        first, rest = text.split("per_listener_settings true", 1)
        place = f"persistence_location {self.folder}/store/\n"
        return f"{first}per_listener_settings true\nlog_dest stderr\nlog_type all\n{place}{rest}\n{self.extra}\n"

    def add_node(self, site: str, node: str) -> str:
        """Add a node as a person does; return its password."""
        return str(re.findall(r"<<<'(\S+)'", self._run("add-node", site, node))[0])

    def _run(self, *words: str) -> str:
        done = subprocess.run([TOOL, "--folder", self.folder, *words], capture_output=True, text=True, check=True)
        return done.stdout

    def node(self, node: str, outbox: Outbox, *, site: str = "hill", **changes: Any) -> Link:
        """A node's link with what systemd/broker prints for it, not started yet."""
        user = f"{site}.{node}"
        login = {"username": user, "client_id": user, "password": self.words[user]}
        given = {"host": self.host, "port": self.port, "reconnect_first_s": 0.1, "reconnect_last_s": 0.2} | login
        return Link(MqttOptions(**(given | changes)), Identity(site, node), outbox)

    def watch(self, *filters: str, user: str = "monitor", client_id: str = "", **tls: Any) -> Subscriber:
        """A watcher on the listener of watchers."""
        found = Subscriber(self, *filters, user=user, password=self.words[user], client_id=client_id, **tls)
        found.port = self.watchers_port
        return found

    def as_node(self, user: str, *filters: str, client_id: str = "") -> Subscriber:
        """A client of its own making with a node's password, on the listener of nodes."""
        return Subscriber(self, *filters, user=user, password=self.words[user], client_id=client_id)
