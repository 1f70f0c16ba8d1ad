"""A real Home Assistant in its own root file system, driven by its own REST API.

    with HomeAssistant(root, broker.port) as home:
        home.state("binary_sensor.leakear_hill_pit_leak")

`root` comes from tests/system/homeassistant-root. `make test-homeassistant` runs it in a network namespace that has a
loopback device and nothing else.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support.broker import free_port
from tests.support.server import Server

CLIENT = "http://127.0.0.1/"
CONFIGURATION = """\
homeassistant:
  name: test
  unit_system: metric
  time_zone: UTC
  country: NL
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
config:
onboarding:
frontend:
lovelace:
history:
logger:
  default: warning
automation: !include automations.yaml
"""
START = 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" /opt/ha/bin/hass "$@"'


@dataclass
class HomeAssistant(Server):
    """One instance with an owner and, through its own config flow, the MQTT integration."""

    root: Path
    broker_port: int
    automations: str = "[]"
    """text of automations.yaml"""
    port: int = field(default_factory=free_port)
    token: str = ""
    folder: Path = field(init=False)

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="leakear-config-", dir=self.root / "tmp"))
        (self.folder / "configuration.yaml").write_text(CONFIGURATION.format(port=self.port))
        (self.folder / "automations.yaml").write_text(self.automations)
        try:
            self.start()
            self._onboard()
            self._add_mqtt()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start (again), and return when its API answers."""
        inside = "/" + str(self.folder.relative_to(self.root))
        command = ["unshare", "--mount", "sh", "-c", START, str(self.root), "--skip-pip", "-c", inside]
        with (self.folder / "out.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={"PATH": os.environ["PATH"], "HOME": "/root"}
            )
        self.wait_for(self._answers, "an answer of Home Assistant", 120)

    def stop(self) -> None:
        """Stop in good order."""
        self.end(signal.SIGTERM, 60)

    def call(self, method: str, path: str, body: Any = None, *, form: bool = False) -> Any:
        """Call its REST API."""
        data = None
        if body is not None:
            data = (urllib.parse.urlencode(body) if form else json.dumps(body)).encode()
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read() or b"null"
                return json.loads(text) if "json" in answer.headers.get_content_type() else text.decode()
        except urllib.error.HTTPError as error:
            error.add_note(f"{method} {path}: {error.read().decode(errors='replace')}")
            raise

    def states(self) -> dict[str, dict[str, Any]]:
        """Give all entities by id."""
        return {item["entity_id"]: item for item in self.call("GET", "/api/states")}

    def state(self, entity: str) -> str | None:
        """Give the state of one entity; None when it is not there."""
        found = self.states().get(entity)
        return None if found is None else str(found["state"])

    def wait_state(self, entity: str, wanted: str, timeout: float = 30) -> None:
        """Wait until an entity shows a state."""
        self.wait_for(lambda: self.state(entity) == wanted, f"{entity} = {wanted}", timeout)

    @property
    def log(self) -> str:
        """The end of what it wrote."""
        parts = [path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log*"))]
        return "\n".join(parts)[-6000:]

    def _answers(self) -> bool:
        try:
            self.call("GET", "/api/onboarding")
        except urllib.error.HTTPError as error:
            return error.code in (401, 404)
        except OSError:
            return False
        return True

    def _onboard(self) -> None:
        owner = {"client_id": CLIENT, "name": "test", "username": "test", "password": "test", "language": "en"}
        code = self.call("POST", "/api/onboarding/users", owner)["auth_code"]
        grant = {"grant_type": "authorization_code", "code": code, "client_id": CLIENT}
        self.token = self.call("POST", "/auth/token", grant, form=True)["access_token"]
        self.call("POST", "/api/onboarding/core_config", {})
        self.call("POST", "/api/onboarding/analytics", {})

    def _add_mqtt(self) -> None:
        flow = self.call("POST", "/api/config/config_entries/flow", {"handler": "mqtt"})
        done = self.call(
            "POST",
            f"/api/config/config_entries/flow/{flow['flow_id']}",
            {
                "broker": "127.0.0.1",
                "port": self.broker_port,
                "other_settings": {"set_client_cert": False, "set_ca_cert": "off"},
            },
        )
        assert done["type"] == "create_entry", done
