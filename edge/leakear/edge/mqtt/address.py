"""The broker's address as it is configured: what can never work is refused when the configuration is read."""

import ipaddress
import re

from leakear.edge.errors import ConfigError

NAME = re.compile(r"(?=.{1,253}$)[\w-]{1,63}(\.[\w-]{1,63})*\.?")
"""A host name; names of other alphabets and `_`, as containers have, included."""
WEB = ("ws", "wss", "http", "https")


def check(host: str) -> None:
    """Return when a name or address can be connected to. Raises ConfigError that names mqtt.host and the remedy."""
    if not host:
        raise ConfigError("mqtt.host is empty: name the broker.")
    if host != host.strip():
        raise ConfigError(f"mqtt.host = {host!a} begins or ends with a blank: remove it.")
    scheme, mark, rest = host.partition("://")
    if mark:
        _refuse_url(scheme.lower(), rest)
    if "@" in host:  # may hold a password: it is not repeated
        raise ConfigError("mqtt.host holds a user: write the name alone, and set mqtt.username and a password file.")
    if host.startswith("[") and "]" in host:
        inside, _, port = host[1:].partition("]")
        raise ConfigError(f"mqtt.host = {host!a} has brackets: {_remedy(inside, port.removeprefix(':'))}.")
    if _is_address(host):
        return
    if ":" in host:
        name, _, port = host.rpartition(":")
        raise ConfigError(f"mqtt.host = {host!a} has a port in it: {_remedy(name, port)}.")
    if re.fullmatch(r"[0-9.]+", host) or NAME.fullmatch(host) is None:
        raise ConfigError(
            f"mqtt.host = {host[:80]!a} is neither a host name nor an address: {_remedy('broker.local', '')}."
        )


def _refuse_url(scheme: str, rest: str) -> None:
    """Raise ConfigError for a URL."""
    if scheme in WEB:
        raise ConfigError(
            f"mqtt.host is a {scheme}:// address: websockets are not spoken. Name the broker alone, and its MQTT port."
        )
    address = rest.split("/", maxsplit=1)[0].rpartition("@")[2]
    name, _, port = address.rpartition(":") if re.search(r":[0-9]+$", address) else (address, "", "")
    tls = " and tls = true" if scheme in ("mqtts", "ssl", "tls") else ""
    raise ConfigError(f"mqtt.host is a {scheme[:20]}:// address: {_remedy(name.strip('[]'), port)}{tls}.")


def _remedy(name: str, port: str) -> str:
    number = f", port = {port}" if port.isdecimal() else ""
    return f'write the name alone: host = "{name[:80] or "broker.local"}"{number}'


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
