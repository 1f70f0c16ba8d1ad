#!/usr/bin/python3 -sP
"""Starts leakear in a Home Assistant add-on: options and broker of the Supervisor become leakear's own settings.

    start.py node [WORD …]        the daemon, or leakear-edge WORD …
    start.py dashboard

As root it makes the folder of the program's data; then it is the program, as another user, without the token.
Formats: developers.home-assistant.io, "App configuration" (/data/options.json, addon_config), "Communication".
"""

import json
import os
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

PACKAGES = {"node": "edge", "dashboard": "dashboard"}
"""add-on → the package that is inside"""
AUDIO = 29
"""group of sound devices"""
ASK_S = 60.0
"""seconds in which the Supervisor must answer; at the start of the machine the broker's add-on registers late"""
WRONG_SETTING = 78


class SettingError(Exception):
    """A sentence for the add-on's log."""


@dataclass(frozen=True)
class Places:
    """Where an add-on finds things; tests have others."""

    data: Path = Path("/data")
    extra: Path = Path("/config")
    """folder `addon_configs/…_leakear_node` of the person: leakear.toml"""
    supervisor: str = "supervisor"
    ingress: str = "172.30.32.2"
    """address from which the Supervisor forwards what people ask"""
    listen: str = "0.0.0.0:8099"
    """`ingress_port` of config.yaml"""
    programs: Path = Path("/usr/bin")
    user: int = 10001
    """who runs the program, and its group"""

    @property
    def own(self) -> Path:
        """Folder of the program."""
        return self.data / "leakear"

    def write(self, name: str, text: str) -> Path:
        """Write a file in it that the program alone may read; it is whole, or it is the former one."""
        path = self.own / name
        half = path.with_name(f"{name}.new")
        half.unlink(missing_ok=True)
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self.give(half)
        half.replace(path)
        return path

    def give(self, path: Path) -> None:
        """Give a file or folder to the program's user."""
        if os.geteuid() == 0:
            os.chown(path, self.user, self.user)

    def become_user(self) -> None:
        """Lay root's rights down for good."""
        if os.geteuid() == 0:
            os.setgroups([AUDIO])
            os.setgid(self.user)
            os.setuid(self.user)


def options(places: Places) -> dict[str, Any]:
    """Return what the person set. Raises SettingError."""
    path = places.data / "options.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingError(f"{path} cannot be read: {error}; save the add-on's configuration again") from error
    if not isinstance(found, dict):
        raise SettingError(f"{path} holds no options; save the add-on's configuration again")
    return found


def broker(places: Places, ask_s: float = ASK_S) -> dict[str, Any]:
    """Return host, port, ssl, username and password of Home Assistant's broker; the last known when nobody says.

    Raises SettingError.
    """
    kept = places.own / "mqtt.json"
    end = time.monotonic() + ask_s
    while True:
        try:
            found = asked(places.supervisor)
        except (OSError, ValueError, KeyError, HTTPException) as error:
            if time.monotonic() < end:
                time.sleep(2)
                continue
            if kept.exists():
                print(f"start: the Supervisor names no broker ({error}); the last known one is used", flush=True)
                return dict(json.loads(kept.read_text(encoding="utf-8")))
            raise SettingError(
                f"the Supervisor names no MQTT broker ({error}); install and start the add-on Mosquitto broker, or "
                "(node) write [mqtt] host into leakear.toml, as the documentation of this add-on says"
            ) from error
        else:
            places.write("mqtt.json", json.dumps(found))
            return found


def asked(supervisor: str) -> dict[str, Any]:
    """Ask the Supervisor once. Raises OSError, ValueError, KeyError, HTTPException."""
    token = os.environ.get("SUPERVISOR_TOKEN", "")
    with closing(HTTPConnection(supervisor, timeout=10)) as line:
        line.request("GET", "/services/mqtt", headers={"Authorization": f"Bearer {token}"})
        answer = line.getresponse()
        said = json.loads(answer.read())
    if answer.status != 200:
        raise OSError(said.get("message") or f"status {answer.status}")
    found = said["data"]
    return {
        "host": str(found["host"]), "port": int(found["port"]), "ssl": found.get("ssl") is True,
        "username": str(found.get("username") or ""), "password": str(found.get("password") or ""),
    }  # fmt: skip


def node(places: Places, words: list[str]) -> list[str]:
    """Write leakear.toml; return the command of the daemon or of another subcommand. Raises SettingError."""
    from leakear.edge import settings_file
    from leakear.edge.errors import ConfigError

    given, more = options(places), places.extra / "leakear.toml"
    try:
        text = settings_file.read_text(more) if more.exists() else ""
        sections = {
            "node": {name: str(given[name]) for name in ("site", "name") if given.get(name)},
            "audio": {"device": str(given["device"])} if given.get("device") else {},
        }
        if not settings_file.parse(text, str(more)).get("mqtt", {}).get("host"):
            found = broker(places)
            sections["mqtt"] = {"host": found["host"], "port": found["port"], "tls": found["ssl"]}
            if found["username"]:
                secret = places.write("mqtt-password", found["password"] + "\n")
                sections["mqtt"] |= {"username": found["username"], "password_file": str(secret)}
        for section, values in sections.items():
            if values:
                text = settings_file.with_keys(text, section, values, str(more))
    except ConfigError as error:
        raise SettingError(str(error)) from error
    config = places.write("leakear.toml", text)
    return [str(places.programs / "leakear-edge"), *(words or ["run"]), "--config", str(config)]


def dashboard(places: Places, _words: list[str]) -> list[str]:
    """Return the command. Home Assistant logs people in (decision 173). Raises SettingError."""
    given, found = options(places), broker(places)
    scheme = "mqtts" if found["ssl"] else "mqtt"
    command = [str(places.programs / "leakear-dashboard"), "--broker", f"{scheme}://{found['host']}:{found['port']}"]
    if found["username"]:
        secret = places.write("mqtt-password", found["password"] + "\n")
        command += ["--username", found["username"], "--password-file", str(secret)]
    command += ["--database", f"sqlite:///{places.own}/dashboard.sqlite", "--clips", str(places.own / "clips")]
    command += [
        "--listen",
        places.listen,
        "--proxy-address",
        places.ingress,
        "--proxy-user-header",
        "X-Remote-User-Name",
    ]
    command += ["--proxy-default-user", "home-assistant", "--proxy-role", str(given.get("role", "view"))]
    return [*command, "--language", str(given.get("language", "en"))]


def main(words: list[str], places: Places) -> None:
    """Become the program. Raises SystemExit where that fails."""
    try:
        places.own.mkdir(mode=0o700, exist_ok=True)
        places.give(places.own)
        command = {"node": node, "dashboard": dashboard}[words[0]](places, words[1:])
    except SettingError as error:
        print(f"start: {error}", file=sys.stderr)
        sys.exit(WRONG_SETTING)
    places.become_user()
    hidden = ("SUPERVISOR_TOKEN", "HASSIO_TOKEN")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"HOME": str(places.own), "STATE_DIRECTORY": str(places.own)}
    os.execve(command[0], command, environment)  # noqa: S606 - so that the program gets the signals


if __name__ == "__main__":
    sys.path.insert(0, f"/usr/lib/leakear-{PACKAGES[sys.argv[1]]}/package/lib")
    main(sys.argv[1:], Places())
