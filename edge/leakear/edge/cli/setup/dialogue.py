"""The questions in a terminal. Everything is asked before anything is written, so Ctrl-C leaves all as it was."""

import getpass
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from leakear.edge import texts
from leakear.edge.audio.microphone import Device, Source
from leakear.edge.cli.setup import answers, discovery, microphones
from leakear.edge.cli.setup.answers import AnswerError, Answers
from leakear.edge.errors import AudioError, UsageError
from leakear.edge.texts import printable

LISTEN_S = 1.0
"""s for which each microphone of the list is heard"""
T = TypeVar("T")


class Dialogue:
    """Asks what was not given. `given`: answers of the command line; `before`: those of the present configuration."""

    def __init__(self, given: Mapping[str, str], before: Mapping[str, str], source: Source) -> None:
        self._given, self._before, self._source = given, before, source

    def ask_all(self, pem: bytes | None, password: str | None) -> Answers:
        """Ask for everything that is missing. `pem`, `password`: None where the command line gave none."""
        said = {
            "site": self._ask("site", "Site (one word, as in hillside)", "site", answers.site),
            "name": self._ask("name", "Name of this node", answers.default_name(), answers.name),
        }
        said["device"] = self._given["device"] if "device" in self._given else self._microphone()
        address = self._broker()
        said["broker"] = address.url
        if pem is None:
            pem = self._ca() if address.tls else b""
        said["user"] = self._ask("user", "User on the broker (- for none)", "-", _user)
        if said["user"] and password is None:
            password = getpass.getpass("Password (nothing is shown; Enter keeps the one that is there): ")
        return answers.of(said | {"password": password or ""}, pem)

    def _ask(self, key: str, question: str, default: str, check: Callable[[str], T]) -> T:
        """Ask until the answer can be used."""
        if key in self._given:
            return check(self._given[key])
        default = self._before.get(key, default)
        while True:
            text = _line(f"{question} [{default}]: " if default else f"{question}: ").strip() or default
            try:
                return check(text)
            except AnswerError as error:
                print(f"  {printable(str(error))}")

    def _microphone(self) -> str:
        """Show the microphones with their levels, and let a person choose one."""
        while True:
            devices = self._devices()
            if not devices:
                print("  No microphone is here now; the node will look for it again and again.")
                return self._ask(
                    "device", "Microphone, a part of its name (Enter: the first that comes)", "", answers.device
                )
            self._show(devices)
            text = _line(f"Microphone (number or name, r: look again) [{self._before.get('device', '1')}]: ").strip()
            text = text or self._before.get("device", "1")
            if text.lower() == "r":
                continue
            chosen = _chosen(text, devices)
            if chosen is None:
                print(f"  {printable(text)} fits none or several of them")
            elif self._right(chosen):
                return stable_name(chosen)

    def _devices(self) -> Sequence[Device]:
        try:
            self._source.refresh()
            return self._source.devices()
        except AudioError as error:
            print(f"  {printable(str(error))}")
            return []

    def _show(self, devices: Sequence[Device]) -> None:
        print("Microphones, each heard for a second:")
        for number, device in enumerate(devices, 1):
            heard = microphones.loudest(device.name, self._source, LISTEN_S)
            print(f"  {number}  {printable(microphones.described(device))}\n     {printable(heard.text)}", flush=True)

    def _right(self, device: Device) -> bool:
        """Show the live level of a microphone until a line is typed; False: another one is wanted."""
        print("Knock on the pipe: the bar must move. Enter: take this microphone; b: back")
        with closing(microphones.levels(device.name, self._source)) as heard:
            for now in heard:
                print(f"\r\x1b[2K{printable(now.text)}", end="", flush=True)
                if select.select([sys.stdin], [], [], 0)[0]:
                    break
        return _line("").strip().lower() != "b"

    def _broker(self) -> answers.Broker:
        found = [] if "broker" in self._given else self._found()
        default = "1" if found else "mqtts://"

        def check(text: str) -> answers.Broker:
            return found[int(text) - 1] if text.isdecimal() and 0 < int(text) <= len(found) else answers.broker(text)

        question = "Broker (number, or mqtts://HOST)" if found else "Broker, as mqtts://HOST (mqtt://: not encrypted)"
        return self._ask("broker", question, default, check)

    def _found(self) -> list[answers.Broker]:
        """Show the brokers of this network."""
        if not discovery.available():
            print(f"({discovery.REMEDY})")
            return []
        print("Looking for brokers in this network …", flush=True)
        found = discovery.brokers(discovery.WAIT_S)
        for number, each in enumerate(found, 1):
            print(f"  {number}  {printable(each.url)}")
        if not found:
            print("  none announces itself")
        return found

    def _ca(self) -> bytes:
        question = "File of the broker's CA (Enter: the system's, or the one that is there)"
        return self._ask("ca", question, "", lambda text: read_ca(Path(text).expanduser()) if text else b"")


def confirmed(question: str) -> bool:
    """Ask yes or no; no is the default."""
    return _line(f"{question} [y/N]: ").strip().lower() in ("y", "yes")


def read_ca(path: Path) -> bytes:
    """Read a file of CA certificates. Raises AnswerError."""
    try:
        return answers.ca(texts.content(path, texts.LARGEST))
    except OSError as error:
        raise AnswerError("ca", f"the CA file {path} cannot be read: {error.strerror}") from None


def stable_name(device: Device) -> str:
    """Return the name by which a microphone is found again after a reboot."""
    return device.name


def _user(text: str) -> str:
    return "" if text == "-" else answers.user(text)


def _chosen(text: str, devices: Sequence[Device]) -> Device | None:
    if text.isdecimal():
        return devices[int(text) - 1] if 0 < int(text) <= len(devices) else None
    fitting = [device for device in devices if text.lower() in (device.name.lower(), device.card_id.lower())]
    fitting = fitting or [device for device in devices if text.lower() in device.name.lower()]
    return fitting[0] if len(fitting) == 1 else None


def _line(question: str) -> str:
    try:
        return input(question)
    except EOFError:
        raise UsageError("there is nobody to ask: give --site, --name, --device, --broker … and --yes") from None
