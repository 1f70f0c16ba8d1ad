"""`leakear-dashboard`: serves the page, manages its accounts, exports alerts, locates a leak, judges night levels."""

import argparse
import importlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from leakear.edge import __version__, command_line, files
from leakear.edge.command_line import number, whole
from leakear.edge.errors import LeakearError

DATABASE = "sqlite:///leakear-dashboard.sqlite"
SECRET = re.compile(r"//?\S*@")
"""user name and password in a URL"""
USAGE = """leakear-dashboard --broker URL [option ...]      serve the page
       leakear-dashboard user {add,remove,list} ...     manage its accounts; see: leakear-dashboard user --help
       leakear-dashboard export FILE.zip ...            export alerts with a verdict, for leakear-train
       leakear-dashboard locate A.wav B.wav ...         locate a leak; see: leakear-dashboard locate --help
       leakear-dashboard nights FILE.csv ...            find lasting rises; see: leakear-dashboard nights --help
       leakear-dashboard report FILE.pdf ...            write a report; see: leakear-dashboard report --help
       leakear-dashboard ingest --broker URL ...        store what nodes send; see: leakear-dashboard ingest --help
       leakear-dashboard retention ...                  what is kept, its size, its export to Parquet"""
EPILOG = """examples:
  leakear-dashboard --broker mqtt://localhost
  leakear-dashboard user add ana --role operate
  leakear-dashboard --broker mqtts://broker.example:8883 --username dashboard --password-file secret \\
      --listen 0.0.0.0:8080 --public-url https://leaks.example
  leakear-dashboard --broker mqtt://localhost --database postgresql+psycopg://leakear@db/leakear
  leakear-dashboard export field.zip && unzip field.zip -d field && leakear-train fit field

Exit codes: 0 done, 2 wrong usage, 65 nothing to export, 78 a wrong setting, 1 anything else.
"""


class Parser(command_line.Parser):
    """A parser whose errors quote no password."""

    def error(self, message: str) -> NoReturn:
        """Print usage and error, and exit with 2."""
        super().error(SECRET.sub("//***@", message))


def parser() -> argparse.ArgumentParser:
    """Command line."""
    top = Parser(
        "leakear-dashboard",
        usage=USAGE,
        description="Shows a fleet of leakear nodes in a browser, over MQTT.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"leakear-dashboard {__version__}")
    add_database(top)
    add_broker(top.add_argument_group("broker"))
    _add_page(top.add_argument_group("page"))
    _add_history(top.add_argument_group("history"))
    return top


def add_database(target: argparse.ArgumentParser) -> None:
    """Add the options that name database and clips."""
    target.add_argument("--database", default=DATABASE, metavar="URL", help=f"SQLAlchemy URL (default {DATABASE})")
    target.add_argument(
        "--clips", type=Path, default=Path("leakear-clips"), metavar="DIR", help="fetched clips (default leakear-clips)"
    )


def add_broker(group: Any) -> None:
    """Add the options that name the broker and our account there."""
    group.add_argument("--broker", required=True, metavar="URL", help="mqtt://HOST[:1883] or mqtts://HOST[:8883]")
    group.add_argument("--username", help="user name at the broker")
    group.add_argument("--password-file", type=Path, help="file whose first line is the broker's password")
    group.add_argument("--ca", type=Path, help="certificate authority of the broker (default: the system's)")
    group.add_argument("--client-certificate", type=Path, help="for a broker that requires one")
    group.add_argument("--client-key", type=Path, help="private key of the client certificate")
    group.add_argument(
        "--mqtt-version", choices=("auto", "5", "3.1.1"), default="auto", help="default auto: 5, else 3.1.1"
    )


def _add_page(group: Any) -> None:
    group.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT", help="default 127.0.0.1:8080")
    group.add_argument("--public-url", metavar="URL", help="address under which people reach the page")
    group.add_argument("--certificate", type=Path, help="serve https with this certificate chain (PEM)")
    group.add_argument("--key", type=Path, help="its private key (PEM)")
    group.add_argument("--proxy-user-header", metavar="NAME", help="header in which a reverse proxy names the user")
    group.add_argument(
        "--proxy-address",
        action="append",
        metavar="IP",
        help="address of the proxy: the header and X-Forwarded-For are accepted from it only (127.0.0.1)",
    )
    group.add_argument(
        "--proxy-role", choices=("view", "operate"), default="view", help="role of users that the proxy names (view)"
    )
    group.add_argument(
        "--proxy-operator",
        action="append",
        default=[],
        metavar="NAME",
        help="user of the proxy who may operate; repeat for several",
    )
    group.add_argument(
        "--proxy-default-user", metavar="NAME", help="user of requests in which the proxy names nobody (none: log in)"
    )
    group.add_argument("--notify", type=Path, metavar="FILE", help="Apprise URLs, one a line: e-mail, webhooks, …")
    group.add_argument("--map-tiles", type=Path, metavar="FILE", help="background of the map: raster tiles (MBTiles)")
    _add_others(group)
    group.add_argument("--language", choices=("en", "pt-BR"), default="en", help="language of the notifications (en)")


def _add_others(group: Any) -> None:
    """Options of what other systems get."""
    group.add_argument("--webhooks", type=Path, metavar="FILE", help="addresses that get changes of cases as JSON")
    group.add_argument("--brand-name", default="leakear", metavar="NAME", help="name at the head of reports (leakear)")
    group.add_argument("--brand-logo", type=Path, metavar="FILE", help="PNG or JPEG at the head of reports")
    group.add_argument("--health-report", metavar="DAY-HH:MM", help="send the fleet's health weekly, such as mon-07:00")
    group.add_argument("--metrics-token", type=Path, metavar="FILE", help="its first line opens /metrics to Prometheus")


def _add_history(group: Any) -> None:
    group.add_argument(
        "--ingest", choices=("here", "elsewhere"), default="here",
        help="who stores what nodes send: this process, or `leakear-dashboard ingest` (here)",
    )  # fmt: skip
    group.add_argument(
        "--stale-after",
        type=number(0),
        default=180,
        metavar="S",
        help="a node without messages for this time is stale (180)",
    )
    group.add_argument(
        "--lost-after", type=number(0), default=60, metavar="S", help="alert when stale or offline for this time (60)"
    )
    group.add_argument("--max-nodes", type=whole(1), default=5000, help="further nodes are not shown (5000)")
    group.add_argument(
        "--max-new-nodes", type=whole(1), default=500, help="nodes not yet heard over a day, at a time (500)"
    )
    group.add_argument(
        "--keep-events", type=number(1), default=1825, metavar="DAYS", help="keep alerts and events (1825)"
    )
    group.add_argument("--keep-readings", type=number(1), default=2, metavar="DAYS", help="keep what workers read (2)")
    group.add_argument("--keep-minutes", type=number(1), default=14, metavar="DAYS", help="keep values per minute (14)")
    group.add_argument("--keep-hours", type=number(1), default=1095, metavar="DAYS", help="keep values per hour (1095)")
    group.add_argument("--clips-mib", type=whole(0), default=2048, metavar="MIB", help="disk space for clips (2048)")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status. What it makes is readable by its user alone."""
    before = os.umask(0o077)
    try:
        return _main(arguments)
    finally:
        os.umask(before)


def _main(arguments: list[str] | None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words and words[0] in _COMMANDS:
            return _COMMANDS[words[0]](words[1:])
        if words and not words[0].startswith("-"):
            parser().error(f"there is no command {words[0][:40]}: {', '.join(_COMMANDS)}, or --broker URL to serve")
        return _serve(parser().parse_args(words))
    except LeakearError as error:
        print(f"leakear-dashboard: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.filename is None:
            raise
        print(f"leakear-dashboard: {os.fsdecode(error.filename)}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _serve(args: argparse.Namespace) -> int:
    from leakear.dashboard.history.tables import open_database
    from leakear.dashboard.server.serve import serve

    return serve(_options(args), broker_options(args), open_database(args.database))


def _options(args: argparse.Namespace) -> Any:
    from leakear.dashboard.accounts.users import Role
    from leakear.dashboard.health.weekday import parse_weekly
    from leakear.dashboard.options import DAY, ProxyOptions, ServeOptions, parse_listen, warn_if_shared

    host, port = parse_listen(args.listen)
    files.folder(args.clips, "--clips")
    warn_if_shared("--clips", args.clips)
    proxy = None
    if args.proxy_user_header or args.proxy_address:
        addresses = frozenset(args.proxy_address or ["127.0.0.1"])
        role, operators = Role(args.proxy_role), frozenset(args.proxy_operator)
        proxy = ProxyOptions(args.proxy_user_header, addresses, role, operators, args.proxy_default_user)
    return ServeOptions(
        host=host, port=port, clips_folder=args.clips, clips_mib=args.clips_mib, stale_after=args.stale_after,
        lost_after=args.lost_after, max_nodes=args.max_nodes, max_new_nodes=args.max_new_nodes,
        keep_events=args.keep_events * DAY, keep_readings=args.keep_readings * DAY,
        keep_minutes=args.keep_minutes * DAY, keep_hours=args.keep_hours * DAY,
        public_url=args.public_url, notify_file=args.notify, language=args.language, proxy=proxy,
        certificate=args.certificate, key=args.key, map_tiles=args.map_tiles, webhooks_file=args.webhooks,
        ingest_here=args.ingest == "here", brand_name=args.brand_name, brand_logo=args.brand_logo,
        health_report=parse_weekly(args.health_report) if args.health_report else None,
        metrics_token=first_line(args.metrics_token) if args.metrics_token else None,
    )  # fmt: skip


def broker_options(args: argparse.Namespace) -> Any:
    """Return the options of `add_broker`."""
    from leakear.dashboard.broker.connection import BrokerOptions

    password = os.environ.get("LEAKEAR_BROKER_PASSWORD")
    given = args.password_file or (None if password else _credential())
    password = first_line(given) if given else password
    return BrokerOptions(
        url=args.broker, client_id="", username=args.username, password=password, ca_file=args.ca,
        certificate=args.client_certificate, key=args.client_key, version=args.mqtt_version,
    )  # fmt: skip


def _credential() -> Path | None:
    """Return the file with the broker's password that the unit's LoadCredential= has brought, where there is one."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder or ".") / "dashboard-mqtt-password"
    return path if folder and path.is_file() else None


def first_line(path: Path) -> str:
    """Return the first line of a file with a secret."""
    from leakear.dashboard.text_file import read_text

    return read_text(path, "--password-file", secret=True).partition("\n")[0].strip()


def _of_module(name: str) -> Callable[[list[str]], int]:
    """Return a subcommand whose module is imported only when it is called."""
    return lambda words: int(importlib.import_module(f"leakear.dashboard.{name}").run(words))


_FOLDERS = {
    "user": "accounts", "locate": "locate", "nights": "nights", "report": "reports", "export": "training_export",
    "ingest": "ingest", "retention": "retention",
}  # fmt: skip
_COMMANDS = {name: _of_module(f"{folder}.command") for name, folder in _FOLDERS.items()}


if __name__ == "__main__":
    sys.exit(main())
