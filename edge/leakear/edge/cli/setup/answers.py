"""What setup asks for, checked in one place: the terminal, the flags and the web form all use it."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from leakear.edge import settings_file
from leakear.edge.audio.capture import CaptureOptions
from leakear.edge.errors import ConfigError, UsageError
from leakear.edge.fields import UNUSABLE
from leakear.edge.messages.reports import Identity
from leakear.edge.mqtt.options import MqttOptions
from leakear.edge.options import MAX_TEXT
from leakear.edge.settings import NodeOptions

MAX_CA = 2**18
"""bytes of a file of CA certificates"""
FORM = "write mqtts://HOST (encrypted) or mqtt://HOST (not encrypted), with :PORT behind it where it is another one"


class AnswerError(UsageError):
    """An answer that cannot be used. `key`: which one."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


@dataclass(frozen=True)
class Broker:
    """The address of a broker."""

    host: str
    port: int
    """0: 1883, with TLS 8883"""
    tls: bool

    @property
    def url(self) -> str:
        """The address as it is typed."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mqtt{'s' * self.tls}://{host}{f':{self.port}' if self.port else ''}"


@dataclass(frozen=True)
class Answers:
    """All answers, checked."""

    site: str
    name: str
    device: str
    """empty: the system's default microphone"""
    broker: Broker
    ca: bytes = b""
    """PEM; empty: the system's authorities, or those that were configured before"""
    user: str = ""
    """empty: anonymous"""
    password: str = field(default="", repr=False)
    """empty: none, or the one that was kept before"""


def site(text: str) -> str:
    """Check the name of a site. Raises AnswerError."""
    return _checked("site", text.strip(), lambda value: Identity(value, "node"))


def name(text: str) -> str:
    """Check the name of a node. Raises AnswerError."""
    return _checked("name", text.strip(), lambda value: Identity("site", value))


def device(text: str) -> str:
    """Check the name of a microphone. Raises AnswerError."""
    return _checked("device", text.strip(), lambda value: _option(CaptureOptions, "device", value))


def user(text: str) -> str:
    """Check the name of a user on the broker. Raises AnswerError."""
    return _checked("user", text, lambda value: _option(MqttOptions, "username", value))


def password(text: str) -> str:
    """Check a password: one line. Raises AnswerError."""
    if UNUSABLE.search(text) or "\n" in text or "\r" in text or len(text) > MAX_TEXT:
        raise AnswerError("password", f"the password must be one line of at most {MAX_TEXT} characters")
    return text


def broker(text: str) -> Broker:
    """Read the address of a broker. Raises AnswerError."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port or 0
    except ValueError:
        raise AnswerError("broker", f"the port or address of the broker is not one: {FORM}") from None
    if parts.username or parts.password:
        raise AnswerError("broker", "the address of the broker holds a user: leave it out, the user is asked for")
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path not in ("", "/"):
        raise AnswerError("broker", f"the broker is {text.strip()[:80]!a}: {FORM}")
    found = Broker(unquote(parts.hostname), port, parts.scheme == "mqtts")
    _checked("broker", found.host, lambda host: MqttOptions(host=host))
    return found


def ca(pem: bytes) -> bytes:
    """Check a file of CA certificates (PEM). Raises AnswerError."""
    if not pem.strip():
        return b""
    try:
        text = pem.decode("ascii") if len(pem) <= MAX_CA else ""
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ValueError, ssl.SSLError):
        raise AnswerError(
            "ca", "the CA file holds no PEM certificates: take the CA of the broker's certificate"
        ) from None
    return pem


def of(given: Mapping[str, str], pem: bytes = b"") -> Answers:
    """Check all answers. `given`: site, name, device, broker, user, password. Raises AnswerError."""
    place, node, microphone = site(given.get("site", "")), name(given.get("name", "")), device(given.get("device", ""))
    address, certificates = broker(given.get("broker", "")), ca(pem)
    if certificates and not address.tls:
        raise AnswerError("ca", "a CA is given and the broker's address is not encrypted: write mqtts:// there")
    who, word = user(given.get("user", "")), password(given.get("password", ""))
    if word and not who:
        raise AnswerError("user", "a password is given without a user: give both")
    return Answers(place, node, microphone, address, certificates, who, word)


def default_name() -> str:
    """Return the name of a node that was given none: the host's."""
    return NodeOptions().identity.node


def _checked(key: str, value: str, check: Callable[[str], object]) -> str:
    try:
        check(value)
    except ConfigError as error:
        raise AnswerError(key, str(error)) from None
    return value


def _option(owner: type[Any], key: str, value: str) -> None:
    settings_file.checked(owner, {key: value}, "setup:")
