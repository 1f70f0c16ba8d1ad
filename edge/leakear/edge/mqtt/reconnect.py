"""The network thread: connects to the broker again and again; a failed first attempt is treated like any other."""

import logging
import threading
from dataclasses import replace

from leakear.edge.errors import ConfigError
from leakear.edge.mqtt.connection import Connection, Wake, Will
from leakear.edge.mqtt.inbox import Closed, Inbox
from leakear.edge.mqtt.options import MqttOptions
from leakear.edge.mqtt.protocol_version import ProtocolVersion
from leakear.edge.mqtt.refusals import reason_codes
from leakear.edge.mqtt.refusals.backoff import Backoff
from leakear.edge.mqtt.refusals.reason_codes import Refusal

log = logging.getLogger("leakear.mqtt")

SHORT_S = 60.0
"""a connection that ends sooner was cut"""
SHORT_IN_A_ROW = 4
"""so many short connections in a row are reported (mosquitto 2.0 gives no reason when two clients have one id)"""


class Connector:
    """Connects, serves the connection until it ends, waits, and connects again."""

    def __init__(self, options: MqttOptions, client_id: str, will: Will, inbox: Inbox) -> None:
        self._options, self._client_id, self._will, self._inbox = options, client_id, will, inbox
        self._backoff = Backoff(options.reconnect_first_s, options.reconnect_last_s, options.reconnect_refused_s)
        self._stop = threading.Event()
        self._wake = Wake()
        self._current: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._version = ProtocolVersion(options.protocol)
        self._short = 0

    def check(self) -> None:
        """Raise ConfigError for files or secrets that cannot be used."""
        self._make()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 4.0) -> None:
        """End the connection and the thread."""
        self._stop.set()
        for end in (Connection.leave, Connection.cut):
            if self._current is not None:
                end(self._current)
            if self._thread.is_alive():
                self._thread.join(timeout_s / 2)
        if not self._thread.is_alive():
            self._wake.close()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                wait_s = self._attempt()
            except Exception as error:  # without this thread the node would stay offline
                wait_s = self._fail(Refusal("mqtt_failed", _unexpected(error)))
                log.debug("an attempt failed", exc_info=True)
            self._stop.wait(wait_s)

    def _attempt(self) -> float:
        """Serve one connection until it ends; return s to wait before the next."""
        try:
            self._current = connection = self._make()
        except ConfigError as error:  # a file was changed meanwhile; the next attempt reads it again
            return self._fail(Refusal("mqtt_files", str(error)))
        if self._stop.is_set():
            return 0.0
        connection.run()
        refusal = connection.refusal or self._cut_short(connection)
        self._inbox.put(Closed(connection, refusal, connection.orderly, connection.code))
        if self._version.attempt_ended(
            refused=connection.version_refused, hung_up=connection.hung_up, retain_refused=connection.retain_refused
        ):
            return 0.0
        return self._backoff.wait(refused=refusal is not None, lasted_s=connection.lasted_s)

    def _fail(self, refusal: Refusal) -> float:
        """Report an attempt that failed; return s to wait before the next."""
        self._inbox.put(Closed(self._current, refusal, orderly=False))
        return self._backoff.wait(refused=True, lasted_s=0.0)

    def _make(self) -> Connection:
        number = self._version.number
        will = replace(self._will, retain=self._version.retain)
        return Connection(self._options, self._client_id, will, self._inbox, self._wake, number)

    def _cut_short(self, connection: Connection) -> Refusal | None:
        """Return a refusal when several connections in a row were closed soon and without a reason."""
        cut = connection.answered and not connection.orderly and connection.lasted_s < SHORT_S
        self._short = self._short + 1 if cut else 0
        return reason_codes.short_lived(self._client_id) if self._short >= SHORT_IN_A_ROW else None


def _unexpected(error: Exception) -> str:
    return f"the connection to the broker failed unexpectedly ({type(error).__name__}: {error}): it is tried again."
