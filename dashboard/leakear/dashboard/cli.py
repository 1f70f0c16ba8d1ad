"""`leakear-dashboard`: serves the page, manages its accounts, exports alerts, locates a leak, judges night levels."""

import argparse
import getpass
import importlib
import os
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from leakear.edge import __version__, files
from leakear.edge.command_line import number, whole
from leakear.edge.errors import ConfigError, InputDataError, LeakearError

DATABASE = "sqlite:///leakear-dashboard.sqlite"
SECRET = re.compile(r"//?\S*@")
"""user name and password in a URL"""
USAGE = """leakear-dashboard --broker URL [option ...]      serve the page
       leakear-dashboard user {add,remove,list} ...     manage its accounts; see: leakear-dashboard user --help
       leakear-dashboard export FILE.zip ...            export alerts with a verdict, for leakear-train
       leakear-dashboard locate A.wav B.wav ...         locate a leak; see: leakear-dashboard locate --help
       leakear-dashboard nights FILE.csv ...            find lasting rises; see: leakear-dashboard nights --help"""
EPILOG = """examples:
  leakear-dashboard --broker mqtt://localhost
  leakear-dashboard user add ana --role operate
  leakear-dashboard --broker mqtts://broker.example:8883 --username dashboard --password-file secret \\
      --listen 0.0.0.0:8080 --public-url https://leaks.example
  leakear-dashboard --broker mqtt://localhost --database postgresql+psycopg://leakear@db/leakear
  leakear-dashboard export field.zip && unzip field.zip -d field && leakear-train fit field

Exit codes: 0 done, 2 wrong usage, 65 nothing to export, 78 a wrong setting, 1 anything else.
"""
USER_EPILOG = """examples:
  leakear-dashboard user add ana --role operate              asks for the password
  leakear-dashboard user add wall --password-file secret     where there is no terminal
  leakear-dashboard user remove ana
"""


class Parser(argparse.ArgumentParser):
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
    _add_database(top)
    _add_broker(top.add_argument_group("broker"))
    _add_page(top.add_argument_group("page"))
    _add_history(top.add_argument_group("history"))
    return top


def _add_database(target: argparse.ArgumentParser) -> None:
    target.add_argument("--database", default=DATABASE, metavar="URL", help=f"SQLAlchemy URL (default {DATABASE})")
    target.add_argument(
        "--clips", type=Path, default=Path("leakear-clips"), metavar="DIR", help="fetched clips (default leakear-clips)"
    )


def _add_broker(group: Any) -> None:
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
    group.add_argument("--notify", type=Path, metavar="FILE", help="Apprise URLs, one a line: e-mail, webhooks, …")
    group.add_argument("--language", choices=("en", "pt-BR"), default="en", help="language of the notifications (en)")


def _add_history(group: Any) -> None:
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
            parser().error(
                f"there is no command {words[0][:40]}: user, export, locate, nights, or --broker URL to serve"
            )
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
    from leakear.dashboard.serve import serve

    return serve(_options(args), _broker(args), open_database(args.database))


def _options(args: argparse.Namespace) -> Any:
    from leakear.dashboard.accounts.users import Role
    from leakear.dashboard.options import DAY, ProxyOptions, ServeOptions, parse_listen, warn_if_shared

    host, port = parse_listen(args.listen)
    files.folder(args.clips, "--clips")
    warn_if_shared("--clips", args.clips)
    proxy = None
    if args.proxy_user_header or args.proxy_address:
        addresses = frozenset(args.proxy_address or ["127.0.0.1"])
        role, operators = Role(args.proxy_role), frozenset(args.proxy_operator)
        proxy = ProxyOptions(args.proxy_user_header, addresses, role, operators)
    return ServeOptions(
        host=host, port=port, clips_folder=args.clips, clips_mib=args.clips_mib, stale_after=args.stale_after,
        lost_after=args.lost_after, max_nodes=args.max_nodes, max_new_nodes=args.max_new_nodes,
        keep_events=args.keep_events * DAY, keep_minutes=args.keep_minutes * DAY, keep_hours=args.keep_hours * DAY,
        public_url=args.public_url, notify_file=args.notify, language=args.language, proxy=proxy,
        certificate=args.certificate, key=args.key,
    )  # fmt: skip


def _broker(args: argparse.Namespace) -> Any:
    from leakear.dashboard.broker.connection import BrokerOptions

    password = _first_line(args.password_file) if args.password_file else os.environ.get("LEAKEAR_BROKER_PASSWORD")
    return BrokerOptions(
        url=args.broker, client_id="", username=args.username, password=password, ca_file=args.ca,
        certificate=args.client_certificate, key=args.client_key, version=args.mqtt_version,
    )  # fmt: skip


def _first_line(path: Path) -> str:
    from leakear.dashboard.text_file import read_text

    return read_text(path, "--password-file", secret=True).partition("\n")[0].strip()


def _user(words: list[str]) -> int:
    """`user add|remove|list`."""
    from leakear.dashboard.accounts.users import Role, Users
    from leakear.dashboard.history.tables import open_database

    raw = argparse.RawDescriptionHelpFormatter
    top = Parser(
        "leakear-dashboard user",
        description="Manages the accounts of the page.",
        epilog=USER_EPILOG,
        formatter_class=raw,
    )
    top.add_argument("what", choices=("add", "remove", "list"), help="add also changes an account that is there")
    top.add_argument("name", nargs="?", help="name of the account")
    roles = "view sees everything, operate also commands nodes and judges alerts (default view)"
    top.add_argument("--role", choices=[role.value for role in Role], default="view", help=roles)
    top.add_argument("--password-file", type=Path, help="instead of asking: file whose first line is the password")
    _add_database(top)
    args = top.parse_args(words)
    if args.what != "list" and not args.name:
        top.error(f"user {args.what} needs a name")
    users = Users(open_database(args.database, make=args.what == "add"))
    known = {user.name: user.role for user in users.all()}
    if args.what == "list":
        print("".join(f"{name}\t{role}\n" for name, role in known.items()), end="")
        if not known:
            print("leakear-dashboard: there are no users", file=sys.stderr)
        return 0
    if args.what == "add":
        users.add(args.name, _password(args.password_file), Role(args.role))
        print(f"{args.name}: {'changed' if args.name in known else 'added'}, role {args.role}")
    elif not users.remove(args.name):
        raise ConfigError(f"There is no user {args.name!a}.")
    else:
        print(f"{args.name}: removed")
    return 0


def _password(path: Path | None) -> str:
    if path is not None:
        return _first_line(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would show what is typed
            first = getpass.getpass("Password: ")
            if getpass.getpass("Again: ") != first:
                raise ConfigError("The two passwords differ.")
    except (EOFError, getpass.GetPassWarning):
        raise ConfigError("There is no terminal to ask for the password: give it with --password-file FILE.") from None
    return first


def _export(words: list[str]) -> int:
    """`export FILE.zip`."""
    from leakear.dashboard.alerts import Alerts
    from leakear.dashboard.clips import Clips
    from leakear.dashboard.history import History
    from leakear.dashboard.history.tables import open_database
    from leakear.dashboard.manifest import write_zip

    top = Parser("leakear-dashboard export", description="Exports clips of alerts with a verdict, for leakear-train.")
    top.add_argument("file", type=Path, help="ZIP archive to write")
    _add_database(top)
    args = top.parse_args(words)
    files.file(args.file, "the archive")
    if args.file.is_symlink():
        raise ConfigError(f"{args.file} is a symbolic link: name the file itself.")
    engine = open_database(args.database, make=False)
    with files.replacing(args.file) as part, part.open("wb") as out:
        count = write_zip(Alerts(engine, History(engine)), Clips(engine, args.clips, 0), out)
        if not count:
            raise InputDataError("No alert was judged that has a clip: there is nothing to export.")
    print(f"{count} recordings in {args.file}")
    return 0


def _of_module(name: str) -> Callable[[list[str]], int]:
    """Return a subcommand whose module is imported only when it is called."""
    return lambda words: int(importlib.import_module(f"leakear.dashboard.{name}").run(words))


_MODULES = {name: _of_module(f"{name}.command") for name in ("locate", "nights")}
_COMMANDS = {"user": _user, "export": _export, **_MODULES}


if __name__ == "__main__":
    sys.exit(main())
