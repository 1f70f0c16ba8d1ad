"""[mqtt]: what a site may configure of the broker connection."""

from dataclasses import dataclass, fields

from leakear.edge.errors import ConfigError
from leakear.edge.messages.reports import Identity
from leakear.edge.mqtt import address
from leakear.edge.mqtt.tls import VERSIONS, Files
from leakear.edge.options import describe, option


@dataclass(frozen=True, repr=False)
class MqttOptions:
    """[mqtt]: the broker, the way to it, and how the node proves who it is."""

    host: str = option("localhost", "name or address of the broker; with TLS the name on its certificate")
    port: int = option(0, "port of the broker; 0: 1883, with TLS 8883", minimum=0, maximum=65535)
    protocol: str = option(
        "auto", "MQTT version; auto: 5, and 3.1.1 where the broker lacks it", choices=("auto", "5", "3.1.1")
    )
    client_id: str = option("", "client id, unique on the broker; empty: leakear-<site>-<node>")
    username: str = option("", "user on the broker; empty: anonymous")
    password: str = option("", "password; better password_file or the systemd credential mqtt-password", secret=True)
    password_file: str = option("", "file that holds the password")
    tls: bool = option(False, "encrypt, and verify the broker's certificate")
    ca_file: str = option("", "PEM file of the CA of the broker's certificate; empty: the system's CAs")
    client_certificate: str = option("", "PEM file of this node's certificate, where the broker wants one")
    client_key: str = option("", "PEM file of its key; empty: in the certificate's file")
    tls_minimum: str = option("1.2", "lowest TLS version accepted", choices=tuple(VERSIONS))
    keepalive_s: int = option(
        60, "s without traffic after which a ping is sent; also the longest wait for an acknowledgement",
        minimum=2, maximum=3600,
    )  # fmt: skip
    session_expiry_s: int = option(
        3600, "s for which the broker keeps commands while the node is away (MQTT 5)", minimum=0, maximum=2**31
    )
    telemetry_expiry_s: int = option(
        300, "s after which undelivered telemetry is worthless (MQTT 5)", minimum=1, maximum=2**31
    )
    connect_timeout_s: float = option(15.0, "s to wait for a connection", minimum=1, maximum=300)
    reconnect_first_s: float = option(1.0, "s before a lost broker is tried again; doubles", minimum=0.05, maximum=3600)
    reconnect_last_s: float = option(120.0, "s between attempts at the most", minimum=0.05, maximum=86400)
    reconnect_refused_s: float = option(
        60.0, "s between attempts at the least after the broker refused something", minimum=0.05, maximum=86400
    )
    in_flight: int = option(16, "messages sent before the first is acknowledged", minimum=1, maximum=1000)
    max_payload: int = option(2**17, "bytes of the largest command accepted", minimum=1024, maximum=2**24)
    certificate_warning_days: float = option(
        21.0, "days before a certificate ends from which it is a fault", minimum=0, maximum=3650
    )

    def __post_init__(self) -> None:
        """Refuse what contradicts itself. Raises ConfigError."""
        address.check(self.host)
        for key in ("ca_file", "client_certificate", "client_key"):
            if getattr(self, key) and not self.tls:
                raise ConfigError(f"mqtt.{key} is set but mqtt.tls is false: set mqtt.tls = true.")
        if self.client_key and not self.client_certificate:
            raise ConfigError("mqtt.client_key is set without mqtt.client_certificate: set both.")
        if self.password and self.password_file:
            raise ConfigError("mqtt.password and mqtt.password_file are both set: keep one.")
        if self.reconnect_last_s < self.reconnect_first_s:
            raise ConfigError("mqtt.reconnect_last_s is less than mqtt.reconnect_first_s: raise it.")

    def __repr__(self) -> str:
        """Show everything but the password."""
        shown = {f.name: "***" if describe(f).secret else getattr(self, f.name) for f in fields(self)}
        return f"MqttOptions({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def effective_port(self) -> int:
        """Port to connect to."""
        return self.port or (8883 if self.tls else 1883)

    @property
    def where(self) -> str:
        """Address and port for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.effective_port}"

    @property
    def tls_files(self) -> Files:
        """Certificate files in use. With TLS only."""
        return Files.of(self.ca_file, self.client_certificate, self.client_key)


def client_id(options: MqttOptions, identity: Identity) -> str:
    """Return the client id of a node on its broker."""
    return options.client_id or f"leakear-{identity.site}-{identity.node}"
