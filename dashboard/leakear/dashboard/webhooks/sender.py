"""Sends every change of a case to each address of `--webhooks`, in order, until it is taken, also after a restart."""

import asyncio
import hashlib
import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from leakear.dashboard.history.rows import Row
from leakear.dashboard.regular import Work
from leakear.dashboard.text_file import read_text
from leakear.dashboard.webhooks.tables import posts
from leakear.edge.errors import ConfigError

log = logging.getLogger(__name__)
VERSION = 1
"""of the JSON; another number when a field changes its meaning or goes"""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 900.0
"""after a failure, doubled with each further one"""
GIVE_UP_S = 7 * 86400.0
"""age beyond which a change that nobody takes is given up; the case itself stays"""
TIMEOUT_S = 20.0
FIELDS = (
    "id", "version", "site", "node", "status", "opened", "since", "certainty", "pipe", "position", "assigned_to",
    "visited", "outcome", "latitude", "longitude", "repaired", "flow_low", "flow_high", "reopened", "closed",
)  # fmt: skip


class Webhooks:
    """Keeps what must be sent in the database: it is written in the transaction that changes the case."""

    def __init__(self, engine: Engine, file: Path | None, public_url: str | None) -> None:
        self._engine, self._public_url = engine, public_url
        self._urls = {hashlib.sha256(url.encode()).hexdigest()[:16]: url for url in _urls(file)}
        self._failing: dict[str, str] = {}
        """address → why the last try failed"""

    def on_change(self, connection: Connection, case: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        """Note a change of a case for every address; `case` is how it stands after it."""
        name = f"{case['id']}-{case['version']}"
        body = json.dumps(payload(case, change, self._public_url))
        rows = [
            {"name": name, "address": address, "made": change["at"], "tries": 0, "again": 0.0, "body": body}
            for address in self._urls
        ]
        if rows:
            connection.execute(insert(posts), rows)

    @property
    def trouble(self) -> str | None:
        """One sentence while an address does not take what is sent."""
        if not self._failing:
            return None
        address, why = next(iter(self._failing.items()))
        number = list(self._urls).index(address) + 1
        return f"Work orders by address {number} of --webhooks fail and are sent again: {why}."

    def states(self) -> list[Row]:
        """Return each address without its secrets, how many changes wait, and why the last try failed."""
        with self._engine.connect() as connection:
            found = connection.execute(select(posts.c.address, func.count()).group_by(posts.c.address))
            waiting = {row[0]: row[1] for row in found}
        return [
            {"number": number, "kind": urlsplit(url).scheme, "host": urlsplit(url).hostname,
             "waiting": waiting.get(address, 0), "trouble": self._failing.get(address)}
            for number, (address, url) in enumerate(self._urls.items(), 1)
        ]  # fmt: skip

    def sending(self) -> list[Work]:
        """Return for each address what sends what is due there: the oldest change first, and none before it is taken.

        Each is a work of its own: an address that is slow holds up no other.
        """
        return [partial(asyncio.to_thread, self._serve, address, url) for address, url in self._urls.items()]

    def _serve(self, address: str, url: str) -> None:
        while (post := self._next(address)) is not None:
            if post.again > time.time():
                return
            if time.time() - post.made > GIVE_UP_S:
                log.error("work order %s could not be sent for a week and is given up", post.name)
                self._done(post.name, address)
                continue
            try:
                deliver(url, post.name, post.body)
            except (OSError, ValueError, HTTPException) as error:  # urllib's errors are OSErrors
                self._failing[address] = _why(error)
                self._later(post)
                return
            self._failing.pop(address, None)
            self._done(post.name, address)

    def _next(self, address: str) -> Any:
        mine = select(posts).where(posts.c.address == address).order_by(posts.c.made, posts.c.name).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(mine).first()

    def _later(self, post: Any) -> None:
        pause = min(FIRST_PAUSE_S * 2 ** min(post.tries, 20), LONGEST_PAUSE_S)
        mine = (posts.c.name == post.name, posts.c.address == post.address)
        with self._engine.begin() as connection:
            connection.execute(update(posts).where(*mine).values(tries=post.tries + 1, again=time.time() + pause))

    def _done(self, name: str, address: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(posts).where(posts.c.name == name, posts.c.address == address))


def payload(case: Mapping[str, Any], change: Mapping[str, Any], public_url: str | None) -> dict[str, Any]:
    """Return the JSON of one change (docs/REPORTS.md)."""
    url = f"{public_url.rstrip('/')}/cases/{case['id']}" if public_url else None
    kept = {name: change[name] for name in ("at", "who", "what", "note")}
    return {
        "version": VERSION, "key": f"{case['id']}-{case['version']}", "change": kept,
        "case": {name: case[name] for name in FIELDS} | {"url": url},
    }  # fmt: skip


def deliver(url: str, key: str, body: str) -> None:
    """Post one change. Raises OSError for everything but an answer of 200 to 299, HTTPException for what is no HTTP."""
    headers = {"content-type": "application/json", "idempotency-key": key, "user-agent": "leakear-dashboard"}
    request = urllib.request.Request(url, body.encode(), headers, method="POST")  # noqa: S310 - only http and https
    with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
        answer.read(4096)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would be followed by a GET, which delivers nothing."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none: the answer becomes an error."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _why(error: Exception) -> str:
    """Return why a try failed; never the address, which may hold a password."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the answer is {error.code}"
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or type(reason).__name__)


def _urls(path: Path | None) -> list[str]:
    """One address a line; it may hold a secret, so it is in a file and not on the command line."""
    if path is None:
        return []
    lines = [line.strip() for line in read_text(path, "--webhooks", secret=True).splitlines()]
    found = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    for number, url in enumerate(found, 1):
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigError(f"{path}, address {number}: write http://HOST/PATH or https://HOST/PATH.")
    return found
