"""The options of the dashboard, with the limits of each value."""

import logging
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from leakear.dashboard.accounts.users import Role
from leakear.dashboard.health.weekday import Weekly
from leakear.edge.errors import ConfigError

log = logging.getLogger(__name__)
DAY = 86400.0


@dataclass(frozen=True)
class ProxyOptions:
    """A reverse proxy."""

    user_header: str | None
    """header in which it names the user; None: it logs nobody in"""
    addresses: frozenset[str]
    """the header, and the client's address in X-Forwarded-For, are accepted only from these addresses"""
    role: Role = Role.VIEW
    """role of its users, except those in `operators`"""
    operators: frozenset[str] = frozenset()
    default_user: str | None = None
    """name of a user whom the proxy let through without a name; None: such requests need a log-in"""


@dataclass(frozen=True)
class ServeOptions:
    """Options of the server."""

    host: str = "127.0.0.1"
    port: int = 8080
    clips_folder: Path = Path("leakear-clips")
    clips_mib: int = 2048
    stale_after: float = 180.0
    """seconds"""
    lost_after: float = 60.0
    """seconds that a node may be stale or offline before that is an alert"""
    max_nodes: int = 5000
    max_new_nodes: int = 500
    """nodes that have not been heard over a day yet"""
    keep_events: float = 5 * 365 * DAY
    """seconds"""
    keep_readings: float = 2 * DAY
    """seconds"""
    keep_minutes: float = 14 * DAY
    """seconds"""
    keep_hours: float = 3 * 365 * DAY
    """seconds"""
    ingest_here: bool = True
    """whether this process stores what nodes send, and no ingest workers do"""
    public_url: str | None = None
    """address under which people reach the page"""
    notify_file: Path | None = None
    webhooks_file: Path | None = None
    """addresses that get every change of a case as JSON"""
    brand_name: str = "leakear"
    """name at the head of reports"""
    brand_logo: Path | None = None
    """PNG or JPEG at the head of reports"""
    health_report: Weekly | None = None
    """when the health of the fleet is sent to who is notified; None: never"""
    metrics_token: str | None = None
    """with it /metrics may be read from another machine; None: from this machine alone"""
    language: str = "en"
    """of notifications"""
    proxy: ProxyOptions | None = None
    map_tiles: Path | None = None
    """MBTiles file: the background of the map"""
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if not 5 <= self.stale_after <= 7 * DAY:
            raise ConfigError(f"--stale-after is {self.stale_after:g}: use 5 to {7 * DAY:g} seconds.")
        if self.keep_readings < DAY or self.keep_minutes < DAY or self.keep_hours < DAY or self.keep_events < DAY:
            raise ConfigError("--keep-readings, --keep-minutes, --keep-hours and --keep-events are at least 1 day.")
        if self.health_report and not self.notify_file:
            raise ConfigError("--health-report sends to the addresses of --notify: give that file too.")
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("--certificate and --key go together.")

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        return self.host == "localhost" or _is_loopback(self.host)

    @property
    def https(self) -> bool:
        """Whether people reach the page over TLS."""
        return self.certificate is not None or (self.public_url or "").startswith("https:")


def parse_listen(text: str) -> tuple[str, int]:
    """HOST:PORT, with an IPv6 host in brackets; ConfigError for anything else."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"--listen is {text!a}: write HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080.")
    return host.strip("[]"), int(port)


def refuse_open_access(options: ServeOptions, has_users: bool) -> None:
    """Raise ConfigError when the page could be used from another machine without a log-in."""
    logs_in = options.proxy is not None and options.proxy.user_header
    if not options.loopback and not has_users and not logs_in:
        raise ConfigError(
            f"--listen {options.host}:{options.port} is reachable from other machines and there is no log-in: add a "
            "user with `leakear-dashboard user add NAME`, or name the proxy's header with --proxy-user-header."
        )


def readable(flag: str, path: Path) -> None:
    """Refuse a file that cannot be read; `flag` names it in the sentence."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise ConfigError(f"{flag} {path} cannot be read: {error.strerror}.") from error


def warn_if_shared(flag: str, path: Path) -> None:
    """Warn when other users of this machine may read a secret; `flag` names it in the sentence."""
    if (path.is_file() or path.is_dir()) and path.stat().st_mode & 0o077:
        mode = 700 if path.is_dir() else 600
        log.warning("%s %s can be read by other users of this machine: chmod %d %s", flag, path, mode, path)


def load_pair(context: ssl.SSLContext, certificate: tuple[str, Path], key: tuple[str, Path | None]) -> None:
    """Load a certificate and its key, each given as (option, file); without a key, it is in the certificate's file.

    Raises ConfigError.
    """
    readable(*certificate)
    if key[1]:
        readable(key[0], key[1])
        warn_if_shared(key[0], key[1])
    try:
        context.load_cert_chain(certificate[1], key[1], password=lambda: "")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{certificate[0]} {certificate[1]} with {key[0]} {key[1] or 'in the same file'} cannot be used: give a "
            "PEM certificate and its unencrypted PEM key."
        ) from error


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
