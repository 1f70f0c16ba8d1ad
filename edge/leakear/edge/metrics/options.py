"""[metrics]: where Prometheus reads the figures of this node."""

from dataclasses import dataclass
from ipaddress import ip_address

from leakear.edge.errors import ConfigError
from leakear.edge.options import option


@dataclass(frozen=True)
class MetricsOptions:
    """[metrics]: figures for Prometheus, by HTTP, without a log-in: levels and states, no secret."""

    port: int = option(0, "TCP port at which GET /metrics is answered; 0: off", minimum=0, maximum=65535)
    listen: str = option("127.0.0.1", "address to listen at; 0.0.0.0 or ::: whoever reaches this machine may read")

    def __post_init__(self) -> None:
        """Refuse a name. Raises ConfigError."""
        try:
            ip_address(self.listen)
        except ValueError:
            raise ConfigError(f"[metrics] listen is {self.listen!a}: give an IP address, such as 127.0.0.1.") from None
