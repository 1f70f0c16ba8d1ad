"""Notices a broker that accepts subscriptions and delivers nothing, as mosquitto does where its access list refuses."""

from typing import Protocol

NO_ACCOUNT = (
    "The broker accepts the subscription and delivers nothing: there is no node there yet, or its access list does not "
    "let clients without an account read leakear/#."
)
PATIENCE_S = 15.0
"""seconds after a connection within which the retained messages of any node have come"""


class Listens(Protocol):
    """What is asked of the subscriber."""

    @property
    def connected(self) -> bool:
        """Whether all connections are up and subscribed."""

    @property
    def heard(self) -> bool:
        """Whether anything has come since the connection."""


class Silence:
    """Says in one sentence that nothing comes. `account`: user name at the broker."""

    def __init__(self, account: str | None) -> None:
        self._account = account
        self._since: float | None = None

    def trouble(self, listens: Listens, now: float) -> str | None:
        """Return the sentence while it holds; `now`: a clock that never goes back, s. Called often."""
        if not listens.connected or listens.heard:
            self._since = None
            return None
        self._since = now if self._since is None else self._since
        if now - self._since < PATIENCE_S:
            return None
        if not self._account:
            return NO_ACCOUNT
        return (
            "The broker accepts the subscription and delivers nothing: there is no node there yet, or its access list "
            f"does not let the account {self._account} read leakear/#."
        )
