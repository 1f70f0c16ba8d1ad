"""Users with Argon2 password hashes, sessions of which only a digest is stored, and two roles."""

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Engine, delete, func, insert, select

from leakear.dashboard.history import insert_new
from leakear.dashboard.history.tables import sessions, users
from leakear.edge.errors import ConfigError

SESSION_S = 7 * 86400.0
"""seconds until a log-in must be repeated"""
SHORTEST = 10
"""characters of a password"""
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
"""form of a session's secret"""


class Role(StrEnum):
    """`view` sees everything; `operate` also commands nodes and judges alerts."""

    VIEW = "view"
    OPERATE = "operate"


@dataclass(frozen=True)
class User:
    """The user of a request."""

    name: str
    role: Role
    by_proxy: bool = False
    """whether a proxy logs this user in, and out"""

    @property
    def operates(self) -> bool:
        """Whether commands and verdicts are allowed."""
        return self.role is Role.OPERATE


LOCAL = User("local", Role.OPERATE)
"""the user of a dashboard that listens on loopback and has no accounts"""


class Users:
    """Accounts and sessions. Blocking (a hash takes tens of milliseconds): called in a thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    def any(self) -> bool:
        """Whether there is any account."""
        with self.engine.connect() as connection:
            return bool(connection.scalar(select(func.count(users.c.name))))

    def all(self) -> list[User]:
        """List the accounts."""
        with self.engine.connect() as connection:
            return [User(row.name, Role(row.role)) for row in connection.execute(select(users).order_by(users.c.name))]

    def add(self, name: str, password: str, role: Role) -> None:
        """Make or change an account; this ends its sessions. Raises ConfigError."""
        if not name or len(name) > 80 or not name.isprintable():
            raise ConfigError("A user's name has 1 to 80 printable characters.")
        if len(password) < SHORTEST:
            raise ConfigError(f"The password has {len(password)} characters; use at least {SHORTEST}.")
        row = {"name": name, "password": self._hasher.hash(password), "role": role.value}
        with self.engine.begin() as connection:
            statement = insert_new(self.engine, users).values(**row)
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
            connection.execute(delete(sessions).where(sessions.c.name == name))

    def remove(self, name: str) -> bool:
        """Delete an account and its sessions."""
        with self.engine.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.name == name))
            return bool(connection.execute(delete(users).where(users.c.name == name)).rowcount)

    def log_in(self, name: str, password: str) -> str | None:
        """Secret of a new session, or None. An unknown name takes as long as a wrong password."""
        with self.engine.connect() as connection:
            known = connection.scalar(select(users.c.password).where(users.c.name == name))
        if not self._verify(known or self._nobody, password) or known is None:
            return None
        secret = secrets.token_urlsafe(32)
        row = {"digest": _digest(secret), "name": name, "expires": time.time() + SESSION_S}
        with self.engine.begin() as connection:
            connection.execute(insert(sessions).values(**row))
        return secret

    def log_out(self, secret: str) -> None:
        """End a session."""
        with self.engine.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == _digest(secret)))

    def of_session(self, secret: str) -> User | None:
        """Return the user of a session; None when it does not exist or has expired."""
        if SECRET.fullmatch(secret) is None:
            return None
        joined = select(users).join(sessions, sessions.c.name == users.c.name)
        mine = (sessions.c.digest == _digest(secret), sessions.c.expires > time.time())
        with self.engine.connect() as connection:
            row = connection.execute(joined.where(*mine)).first()
        return None if row is None else User(row.name, Role(row.role))

    def _verify(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False


def _digest(secret: str) -> str:
    """Return the stored form of a secret. The secret is random, so a digest without salt is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
