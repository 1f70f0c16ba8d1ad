"""`leakear-dashboard user`: the accounts of the page."""

import argparse
import getpass
import sys
import warnings
from pathlib import Path

from sqlalchemy import Engine

from leakear.dashboard.accounts.users import Role, Users
from leakear.dashboard.cli import Parser, add_database, first_line
from leakear.dashboard.history.tables import open_database
from leakear.edge.errors import ConfigError

EPILOG = """examples:
  leakear-dashboard user add ana --role operate              asks for the password
  leakear-dashboard user add wall --password-file secret     where there is no terminal
  leakear-dashboard user remove ana
"""


def run(words: list[str]) -> int:
    """`user add|remove|list`."""
    raw = argparse.RawDescriptionHelpFormatter
    top = Parser(
        "leakear-dashboard user",
        description="Manages the accounts of the page, in its database: run it in the folder in which the page is "
        "started, or give both the same --database. With the first account a running page asks for a log-in at once.",
        epilog=EPILOG,
        formatter_class=raw,
    )
    top.add_argument("what", choices=("add", "remove", "list"), help="add also changes an account that is there")
    top.add_argument("name", nargs="?", help="name of the account")
    roles = "view sees everything, operate also commands nodes and judges alerts (default view)"
    top.add_argument("--role", choices=[role.value for role in Role], default="view", help=roles)
    top.add_argument("--password-file", type=Path, help="instead of asking: file whose first line is the password")
    add_database(top)
    args = top.parse_intermixed_args(words)  # `add --role view NAME`, too
    if args.what != "list" and not args.name:
        top.error(f"user {args.what} needs a name")
    engine = open_database(args.database, make=args.what == "add")
    users = Users(engine)
    known = {user.name: user.role for user in users.all()}
    if args.what == "list":
        print("".join(f"{name}\t{role}\n" for name, role in known.items()), end="")
        if not known:
            print("leakear-dashboard: there are no users", file=sys.stderr)
        return 0
    if args.what == "add":
        users.add(args.name, _password(args.password_file), Role(args.role))
        print(f"{args.name}: {'changed' if args.name in known else 'added'}, role {args.role}, in {_place(engine)}")
    elif not users.remove(args.name):
        raise ConfigError(f"There is no user {args.name!a}.")
    else:
        print(f"{args.name}: removed")
    return 0


def _place(engine: Engine) -> str:
    """Return where a database is: an account that is made in another one than the page's is of no use."""
    file = engine.url.database
    return str(Path(file).resolve()) if engine.dialect.name == "sqlite" and file else engine.url.render_as_string()


def _password(path: Path | None) -> str:
    if path is not None:
        return first_line(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would show what is typed
            first = getpass.getpass("Password: ")
            if getpass.getpass("Again: ") != first:
                raise ConfigError("The two passwords differ.")
    except (EOFError, getpass.GetPassWarning):
        raise ConfigError("There is no terminal to ask for the password: give it with --password-file FILE.") from None
    return first
