"""Home Assistant's device discovery: one retained message makes the node a device with all its entities.

Topic `<prefix>/device/leakear-<site>/<node>/config`: the node stands alone in one level, so that a broker's ACL can
say `pattern write homeassistant/device/+/%u/config`. The daemon publishes on every topic named here; what must
be remembered (`state`) is retained, because Home Assistant misses what is sent right after a first discovery.
Source: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from leakear.edge.messages.discovery import discovery_topic
from leakear.edge.messages.reports import EVENT_KINDS, STATES, Identity
from leakear.edge.mqtt.link import Link
from leakear.edge.options import option

PREFIX = r"(?!leakear(/|$))(?![$\s])[^/+#]*[^/+#\s](/[^/+#\s]([^/+#]*[^/+#\s])?)*"
"""Form of a discovery prefix: no wildcard, no empty level, and none of the node's own topics."""
BIRTH = b"online"
"""What Home Assistant publishes on `<prefix>/status` after a start: the discovery message is then sent again."""
BIRTH_SPREAD_S = 5.0
"""s after that message within which a node answers, at a random moment: not all nodes of a fleet at once"""
EVENT_TYPES = (*(state.lower() for state in STATES), *(kind for kind in EVENT_KINDS if kind != "state"))
LEAK = (
    "{{ 'ON' if value_json.state == 'LEAK' else 'None' if value_json.state in ('SENSOR_FAULT', 'NOISY')"
    " or 'not_judged' in value_json.faults or value_json.asleep_until | default(none) else 'OFF' }}"
)
"""A node that sleeps, cannot hear or cannot judge does not know: `None` shows as unknown, never as dry."""
AVAILABLE = "{{ 'offline' if value == 'offline' else 'online' }}"
"""A node that sleeps is not lost."""
HEALTH = "{{ 'ON' if value_json.faults or value_json.state in ('SENSOR_FAULT', 'NOISY') else 'OFF' }}"
EVENT = (
    "{{ dict(event_type=(value_json.to if value_json.kind == 'state' else value_json.kind) | lower,"
    " reason=value_json.reason, id=value_json.id, seq=value_json.seq, window_end=value_json.window_end,"
    " clock_synced=value_json.clock_synced, score=value_json.score, level_dbfs=value_json.level_dbfs,"
    " decided_on=value_json.decided_on | default(none)) | tojson }}"
)
UPDATE = (
    "{% set trial = value_json.model_trial | default(none) %}{% set tried = trial and not trial.decides %}"
    "{{ dict(installed_version=value_json.model.id, title='Leak model', in_progress=tried | default(false, true),"
    " latest_version=(trial.model if tried else value_json.staged_model or value_json.model).id) | tojson }}"
)


@dataclass(frozen=True)
class HomeassistantOptions:
    """[homeassistant]: whether the node appears in Home Assistant as a device."""

    discovery: str = option(
        "on",
        "on: appear as a device; off: send no discovery message; remove: delete the device",
        choices=("on", "off", "remove"),
    )
    prefix: str = option(
        "homeassistant", "discovery prefix of Home Assistant: topic levels without + and #, no blank at an end",
        pattern=PREFIX, max_length=200,
    )  # fmt: skip
    name: str = option("", "name of the device; empty: leakear <site> <node>")
    area: str = option("", "area suggested for the device; empty: none")


@dataclass(frozen=True)
class Discovery:
    """The discovery message of one node."""

    identity: Identity
    options: HomeassistantOptions
    firmware: str
    telemetry_s: float
    """seconds between two telemetry messages"""

    @property
    def topic(self) -> str:
        """Topic of the discovery message."""
        return discovery_topic(self.identity, self.options.prefix)

    @property
    def birth_topic(self) -> str:
        """Topic of Home Assistant's own availability."""
        return f"{self.options.prefix}/status"

    def payload(self) -> bytes:
        """Return the discovery message; empty, which deletes the device, when the site says `remove`."""
        if self.options.discovery == "remove":
            return b""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":")).encode()

    def to_dict(self) -> dict[str, Any]:
        """Build the discovery message."""
        unique = f"leakear/{self.identity.site}/{self.identity.node}"
        parts = {key: {**part, "unique_id": f"{unique}/{key}"} for key, part in self._components()}
        device = {
            "identifiers": [unique],
            "name": self.options.name or f"leakear {self.identity.site} {self.identity.node}",
            "manufacturer": "leakear",
            "model": "acoustic leak detector",
            "sw_version": self.firmware,
        }
        return {
            "device": device | ({"suggested_area": self.options.area} if self.options.area else {}),
            "origin": {"name": "leakear", "sw_version": self.firmware},
            "availability_topic": self.identity.topic("availability"),
            "availability_template": AVAILABLE,
            "state_topic": self.identity.topic("state"),
            "qos": 1,
            "components": parts,
        }

    def _components(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from self._alarms()
        yield from self._measurements()
        yield from self._diagnostics()
        yield from self._controls()

    def _alarms(self) -> Iterator[tuple[str, dict[str, Any]]]:
        binary = {"platform": "binary_sensor"}
        yield "leak", {**binary, "name": "Leak", "device_class": "moisture", "value_template": LEAK}
        yield (
            "health",
            {
                **binary,
                "name": "Health",
                "device_class": "problem",
                "value_template": HEALTH,
                "json_attributes_topic": self.identity.topic("state"),
                "json_attributes_template": "{{ dict(faults=value_json.faults) | tojson }}",
            },
        )
        yield (
            "event",
            {
                "platform": "event",
                "name": "Event",
                "state_topic": self.identity.topic("event"),
                "event_types": list(EVENT_TYPES),
                "value_template": EVENT,
            },
        )

    def _measurements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield (
            "state",
            {
                "platform": "sensor",
                "name": "State",
                "device_class": "enum",
                "options": [state.lower() for state in STATES],
                "value_template": "{{ value_json.state | lower }}",
            },
        )
        number = {"platform": "sensor", "state_class": "measurement"}
        yield (
            "score",
            {
                **number,
                "name": "Score",
                "icon": "mdi:waveform",
                "suggested_display_precision": 2,
                "value_template": "{{ value_json.score }}",
            },
        )
        decibels = {**number, "unit_of_measurement": "dBFS", "suggested_display_precision": 1, "icon": "mdi:volume-low"}
        yield "level", {**decibels, "name": "Level", "value_template": "{{ value_json.level_dbfs }}"}
        yield "noise_floor", {**decibels, "name": "Noise floor", "value_template": "{{ value_json.noise_floor_dbfs }}"}

    def _diagnostics(self) -> Iterator[tuple[str, dict[str, Any]]]:
        sensor = {"platform": "sensor", "entity_category": "diagnostic"}
        yield "firmware", {**sensor, "name": "Firmware", "value_template": "{{ value_json.firmware }}"}
        known = {**sensor, "name": "Nights known", "state_class": "measurement", "icon": "mdi:weather-night"}
        yield "nights_known", {**known, "value_template": "{{ value_json.learning.nights_known }}"}
        learning = {**sensor, "name": "Learning", "icon": "mdi:school-outline"}
        yield "learning", {**learning, "value_template": "{{ value_json.learning.may_say }}"}
        asleep = {**sensor, "name": "Asleep until", "device_class": "timestamp", "icon": "mdi:sleep"}
        yield "asleep_until", {**asleep, "value_template": "{{ value_json.asleep_until | default(none) }}"}
        yield "model", {**sensor, "name": "Model", "value_template": "{{ value_json.model.id }}"}
        yield (
            "queue_depth",
            {
                **sensor,
                "name": "Events waiting",
                "state_class": "measurement",
                "value_template": "{{ value_json.queue_depth }}",
            },
        )
        yield (
            "temperature",
            {
                **sensor,
                "name": "Processor temperature",
                "state_topic": self.identity.topic("telemetry"),
                "device_class": "temperature",
                "state_class": "measurement",
                "unit_of_measurement": "°C",
                "value_template": "{{ value_json.temperature_c }}",
                # Telemetry may be lost, so it may expire; an alarm must not flap for that.
                "expire_after": int(3 * self.telemetry_s) + 1,
            },
        )

    def _controls(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield (
            "threshold",
            {
                "platform": "number",
                "name": "Threshold",
                "entity_category": "config",
                "command_topic": self.identity.topic("cmd/set"),
                "command_template": '{"id":"home-assistant","threshold":{{ value }}}',
                "value_template": "{{ value_json.threshold }}",
                "min": 0.01,
                "max": 0.99,
                "step": 0.01,
                "mode": "box",
            },
        )
        yield (
            "update",
            {
                "platform": "update",
                "name": "Model update",
                "entity_category": "diagnostic",
                "value_template": UPDATE,
                "command_topic": self.identity.topic("cmd/model"),
                "payload_install": '{"id":"home-assistant","action":"install"}',
            },
        )


class Introduction:
    """Publishes the discovery message at every connect, and again a little later whenever Home Assistant starts."""

    def __init__(self, discovery: Discovery, link: Link, send_state: Callable[[], None]) -> None:
        self._discovery, self._link, self._send_state = discovery, link, send_state
        self._delay_s: float | None = None  # drawn at a birth message
        self._due: float | None = None  # s, monotonic
        self._publish()
        link.subscribe(discovery.birth_topic, self._on_birth)

    def tick(self, now: float) -> None:
        """Publish discovery and state when an answer is due. `now`: s, monotonic."""
        if self._delay_s is not None:
            self._due, self._delay_s = now + self._delay_s, None
        if self._due is not None and now >= self._due:
            self._due = None
            self._publish()
            self._send_state()

    def _publish(self) -> None:
        self._link.retain_topic(self._discovery.topic, self._discovery.payload())

    def _on_birth(self, payload: bytes) -> None:
        if payload == BIRTH:
            self._delay_s = random.uniform(0, BIRTH_SPREAD_S)
