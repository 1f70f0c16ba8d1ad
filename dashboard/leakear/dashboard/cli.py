"""`leakear-dashboard`: serve the page, keep its accounts, export what was judged."""

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from leakear.edge.errors import ConfigError, LeakearError

DATABASE = "sqlite:///leakear-dashboard.sqlite"
EPILOG = """examples:
  leakear-dashboard --broker mqtt://localhost
  leakear-dashboard user add ana --role operate
  leakear-dashboard --broker mqtts://broker.example:8883 --username dashboard --password-file secret \\
      --listen 0.0.0.0:8080 --public-url https://leaks.example
  leakear-dashboard --broker mqtt://localhost --database postgresql+psycopg://leakear@db/leakear
  leakear-dashboard export field.zip && unzip field.zip -d field && leakear-train fit field
"""


def parser() -> argparse.ArgumentParser:
    """Command line."""
    top = argparse.ArgumentParser(
        "leakear-dashboard",
        description="Shows a fleet of leakear nodes in a browser, over MQTT.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_database(top)
    _add_broker(top.add_argument_group("broker"))
    _add_page(top.add_argument_group("page"))
    _add_history(top.add_argument_group("history"))
    return top


def _add_database(target: argparse.ArgumentParser) -> None:
    target.add_argument("--database", default=DATABASE, metavar="URL", help=f"SQLAlchemy URL (default {DATABASE})")
    target.add_argument(
        "--clips", type=Path, default=Path("leakear-clips"), metavar="DIR", help="folder of fetched clips"
    )


def _add_broker(group: Any) -> None:
    group.add_argument("--broker", required=True, metavar="URL", help="mqtt://HOST[:1883] or mqtts://HOST[:8883]")
    group.add_argument("--username", help="of the broker")
    group.add_argument("--password-file", type=Path, help="file whose first line is the broker's password")
    group.add_argument("--ca", type=Path, help="certificate authority of the broker (default: the system's)")
    group.add_argument("--client-certificate", type=Path, help="for a broker that asks for one")
    group.add_argument("--client-key", type=Path)
    group.add_argument("--mqtt-version", choices=("auto", "5", "3.1.1"), default="auto")


def _add_page(group: Any) -> None:
    group.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT", help="default 127.0.0.1:8080")
    group.add_argument("--public-url", metavar="URL", help="address under which people reach the page")
    group.add_argument("--certificate", type=Path, help="serve https with this certificate chain (PEM)")
    group.add_argument("--key", type=Path, help="its private key (PEM)")
    group.add_argument("--proxy-user-header", metavar="NAME", help="header in which a reverse proxy names the user")
    group.add_argument("--proxy-address", action="append", metavar="IP", help="believe it only from here (127.0.0.1)")
    group.add_argument("--proxy-role", choices=("view", "operate"), default="view", help="role of those it names")
    group.add_argument("--proxy-operator", action="append", default=[], metavar="NAME", help="may operate")
    group.add_argument("--notify", type=Path, metavar="FILE", help="Apprise URLs, one a line: e-mail, webhooks, …")
    group.add_argument("--language", choices=("en", "pt-BR"), default="en", help="of the notifications")


def _add_history(group: Any) -> None:
    group.add_argument("--stale-after", type=float, default=180, metavar="S", help="silent so long is stale (180)")
    group.add_argument("--lost-after", type=float, default=60, metavar="S", help="then an alert after so long (60)")
    group.add_argument("--max-nodes", type=int, default=5000)
    group.add_argument("--keep-events", type=float, default=1825, metavar="DAYS")
    group.add_argument("--keep-minutes", type=float, default=14, metavar="DAYS", help="values minute by minute")
    group.add_argument("--keep-hours", type=float, default=1095, metavar="DAYS", help="values hour by hour")
    group.add_argument("--clips-mib", type=int, default=2048, metavar="MIB", help="room for clips")


def main(arguments: list[str] | None = None) -> int:
    """Run; give back the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words[:1] == ["user"]:
            return _user(words[1:])
        if words[:1] == ["export"]:
            return _export(words[1:])
        return _serve(parser().parse_args(words))
    except LeakearError as error:
        print(f"leakear-dashboard: {error}", file=sys.stderr)
        return error.exit_code


def _serve(args: argparse.Namespace) -> int:
    from leakear.dashboard.serve import serve
    from leakear.dashboard.tables import open_database

    return serve(_options(args), _broker(args), open_database(args.database))


def _options(args: argparse.Namespace) -> Any:
    from leakear.dashboard.auth import Role
    from leakear.dashboard.options import DAY, ProxyOptions, ServeOptions, parse_listen

    host, port = parse_listen(args.listen)
    proxy = None
    if args.proxy_user_header:
        addresses = frozenset(args.proxy_address or ["127.0.0.1"])
        role, operators = Role(args.proxy_role), frozenset(args.proxy_operator)
        proxy = ProxyOptions(args.proxy_user_header, addresses, role, operators)
    return ServeOptions(
        host=host, port=port, clips_folder=args.clips, clips_mib=args.clips_mib, stale_after=args.stale_after,
        lost_after=args.lost_after, max_nodes=args.max_nodes, keep_events=args.keep_events * DAY,
        keep_minutes=args.keep_minutes * DAY, keep_hours=args.keep_hours * DAY, public_url=args.public_url,
        notify_file=args.notify, language=args.language, proxy=proxy, certificate=args.certificate, key=args.key,
    )  # fmt: skip


def _broker(args: argparse.Namespace) -> Any:
    from leakear.dashboard.subscriber import BrokerOptions

    password = _first_line(args.password_file) if args.password_file else os.environ.get("LEAKEAR_BROKER_PASSWORD")
    return BrokerOptions(
        url=args.broker, client_id="", username=args.username, password=password, ca_file=args.ca,
        certificate=args.client_certificate, key=args.client_key, version=args.mqtt_version,
    )  # fmt: skip


def _first_line(path: Path) -> str:
    try:
        return path.read_text().partition("\n")[0].strip()
    except OSError as error:
        raise ConfigError(f"--password-file {path} cannot be read: {error.strerror}.") from error


def _user(words: list[str]) -> int:
    """`user add|remove|list`."""
    from leakear.dashboard.auth import Role, Users
    from leakear.dashboard.tables import open_database

    top = argparse.ArgumentParser("leakear-dashboard user", description="Keeps the accounts of the page.")
    top.add_argument("what", choices=("add", "remove", "list"))
    top.add_argument("name", nargs="?")
    top.add_argument("--role", choices=[role.value for role in Role], default="view")
    top.add_argument("--password-file", type=Path, help="instead of asking: file whose first line is the password")
    _add_database(top)
    args = top.parse_args(words)
    users = Users(open_database(args.database))
    if args.what == "list":
        print("\n".join(f"{user.name}\t{user.role}" for user in users.all()))
    elif not args.name:
        top.error(f"user {args.what} needs a name")
    elif args.what == "add":
        users.add(args.name, _password(args.password_file), Role(args.role))
    elif not users.remove(args.name):
        raise ConfigError(f"There is no user {args.name!a}.")
    return 0


def _password(path: Path | None) -> str:
    if path is not None:
        return _first_line(path)
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        _fail("The two passwords differ.")
    return first


def _fail(sentence: str) -> NoReturn:
    raise ConfigError(sentence)


def _export(words: list[str]) -> int:
    """`export FILE.zip`."""
    from leakear.dashboard.alerts import Alerts
    from leakear.dashboard.clips import Clips
    from leakear.dashboard.history import History
    from leakear.dashboard.manifest import write_zip
    from leakear.dashboard.tables import open_database

    top = argparse.ArgumentParser("leakear-dashboard export", description="Writes judged clips for leakear-train.")
    top.add_argument("file", type=Path, help="ZIP archive to write")
    _add_database(top)
    args = top.parse_args(words)
    engine = open_database(args.database)
    with args.file.open("wb") as out:
        count = write_zip(Alerts(engine, History(engine)), Clips(engine, args.clips, 0), out)
    print(f"{count} recordings in {args.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
