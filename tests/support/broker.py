"""A real mosquitto on a free port, and a subscriber that collects what it delivers.

    with Broker(persistence=True) as broker, Subscriber(broker, "leakear/#") as seen:
        ...
        broker.kill()       # kill -9, as a power cut does
        broker.start()      # the same port, the same store
        seen.wait(10)       # at least ten messages so far, or a failed assertion that shows the broker's log

`tests/conftest.py` offers the same as the fixture `broker` (plain, one per test). Everything lives in a folder
of its own under the system's temporary directory; as root the broker drops to an unprivileged user.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Self

import pytest

from tests.support.server import Server
from tests.support.subscriber import Message, Subscriber

__all__ = ["HUGE_PACKETS", "SILENT_REFUSAL", "Broker", "Message", "Subscriber", "free_port", "mosquitto", "version"]

NOBODY = 65534
SILENT_REFUSAL = "mosquitto 2.1 acknowledges in silence what it refuses under MQTT 3.1.1 (docs/DELIVERY.md)"
HUGE_PACKETS = "max_packet_size 268435455"
"""what mosquitto takes until 2.0; from 2.1 on 2,000,000 bytes"""
# What docs/DELIVERY.md tells a site to set: acknowledged messages survive a power cut.
DURABLE = "persistence true\npersistence_location {folder}/store/\nautosave_interval 1\nautosave_on_changes true\n"


def mosquitto() -> str:
    """Path of the broker, or a skipped test."""
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    return path


@lru_cache
def version() -> tuple[int, ...]:
    """Version of the broker here, as (2, 0, 11)."""
    said = subprocess.run([mosquitto(), "-h"], check=False, capture_output=True, text=True).stdout
    return tuple(map(int, said.split()[2].split(".")))


def free_port(host: str = "127.0.0.1") -> int:
    """Port that is free now, below those that the kernel gives to connections (32768 on): a server gets it again."""
    for port in random.sample(range(10_000, 32_000), 1000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((host, port))
            return port
    raise OSError(f"no port of {host} is free")


@dataclass
class Broker(Server):
    """One mosquitto. `start` after `stop` or `kill` uses the same port and store."""

    persistence: bool = False
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    require_certificate: bool = False
    passwords: dict[str, str] | None = None
    acl: str | None = None
    websockets: bool = False
    quiet: bool = False
    """Leave the line for each packet out of the log."""
    extra: str = ""
    """Further lines of mosquitto.conf; `{folder}` is replaced."""
    host: str = "127.0.0.1"
    port: int = 0
    prefix: tuple[str, ...] = ()
    """Put before the command, such as `ip netns exec NAME`."""
    folder: Path = field(init=False)
    websocket_port: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="leakear-broker-"))
        (self.folder / "store").mkdir()
        self.port = self.port or free_port()
        if self.websockets:
            self.websocket_port = free_port()
        self._write()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start (again) and return when it listens."""
        assert self.process is None, "already running"
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        command = [*self.prefix, *drop, mosquitto(), "-c", str(self.folder / "mosquitto.conf")]
        mark = self.log.count(" running") + 1
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.wait_for(lambda: self.log.count(" running") >= mark, "listening mosquitto", 20)

    def stop(self) -> None:
        """Stop in good order (the store is saved)."""
        self.end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9: nothing is saved that was not saved before."""
        self.end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop answering with every connection still open, as a half-open partition does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Process id."""
        assert self.process is not None
        return self.process.pid

    def _write(self) -> None:
        (self.folder / "log").touch()
        (self.folder / "mosquitto.conf").write_text(self._configuration())
        if self.passwords is not None:
            self._write_passwords(self.passwords)
        if self.acl is not None:
            (self.folder / "acl").write_text(self.acl)
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY)

    def _write_passwords(self, passwords: dict[str, str]) -> None:
        path = self.folder / "passwords"
        path.write_text("".join(f"{user}:{word}\n" for user, word in passwords.items()))
        subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True)

    def _configuration(self) -> str:
        kinds = ("error", "warning", "notice", "information") if self.quiet else ("all",)
        lines = ["log_dest stderr", *(f"log_type {kind}" for kind in kinds), "max_queued_messages 0", self._listener()]
        lines += [f"allow_anonymous {'false' if self.passwords is not None else 'true'}"]
        if self.passwords is not None:
            lines.append(f"password_file {self.folder}/passwords")
        if self.acl is not None:
            lines.append(f"acl_file {self.folder}/acl")
        if self.websockets:
            lines.append(f"listener {self.websocket_port} {self.host}\nprotocol websockets")
        if self.persistence:
            lines.append(DURABLE.format(folder=self.folder))
        return "\n".join(lines) + "\n" + self.extra.format(folder=self.folder) + "\n"

    def _listener(self) -> str:
        lines = [f"listener {self.port} {self.host}"]
        if self.certfile is not None:
            for name, path in (
                ("cafile", self.cafile),
                ("certfile", self.certfile),
                ("keyfile", self.keyfile),
            ):
                copy = self.folder / name
                copy.write_bytes(Path(str(path)).read_bytes())
                lines.append(f"{name} {copy}")
            lines.append(f"require_certificate {str(self.require_certificate).lower()}")
            if self.require_certificate:
                lines.append("use_identity_as_username true")
        return "\n".join(lines)
