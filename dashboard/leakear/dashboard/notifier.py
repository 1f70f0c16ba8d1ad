"""Sends alerts to people by e-mail, webhook and other services, with Apprise."""

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import apprise
from sqlalchemy.exc import SQLAlchemyError

from leakear.dashboard.history import Row
from leakear.dashboard.i18n import sentence, texts
from leakear.dashboard.notifications import Notifications
from leakear.edge.errors import ConfigError
from leakear.edge.texts import TextError
from leakear.edge.texts import read as read_text

log = logging.getLogger(__name__)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
"""after a failure, doubled with each further one"""
GIVE_UP_S = 86400.0
"""age beyond which an alert that could not be sent is given up; it stays in the log"""
LOOK_S = 60.0
"""interval at which pending notifications are looked up, seconds"""


@dataclass(eq=False)
class Address:
    """One address to notify."""

    number: int
    """line of the file, for people: the address itself may hold a password"""
    name: str
    """digest of the address, used in the database"""
    sender: apprise.Apprise
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    pause: float = 0.0
    """seconds until the next try; 0 while it works"""
    waiting: int = 0
    """alerts that wait while it does not work"""


class Notifier:
    """Sends each alert to each address. A failure is retried for a day, also after a restart, and shown on the page."""

    def __init__(
        self, urls_file: Path | None, public_url: str | None, notifications: Notifications, language: str = "en"
    ) -> None:
        self._public_url = public_url
        self._language = language
        self._notifications = notifications
        self._addresses = [_address(urls_file, number, url) for number, url in enumerate(_urls(urls_file), 1)]

    @property
    def addresses(self) -> list[str]:
        """Names of the addresses."""
        return [address.name for address in self._addresses]

    @property
    def trouble(self) -> str | None:
        """One sentence while an address does not work."""
        bad = next((address for address in self._addresses if address.pause), None)
        if bad is None:
            return None
        return f"Notifications by address {bad.number} of --notify fail: {bad.waiting} alerts are waiting."

    def wake(self) -> None:
        """Send new alerts now."""
        for address in self._addresses:
            address.bell.set()

    async def run(self) -> None:
        """Send notifications until cancelled; addresses do not wait for each other."""
        await asyncio.to_thread(self._notifications.keep_only, self.addresses)
        async with asyncio.TaskGroup() as group:
            for address in self._addresses:
                group.create_task(self._serve(address))

    async def _serve(self, address: Address) -> None:
        while True:
            try:
                more = await self._one(address)
            except SQLAlchemyError:
                log.exception("the notifications in the database cannot be read or changed")
                more = False
            if address.pause:
                await asyncio.sleep(address.pause)
            elif not more:
                await _wait(address.bell, LOOK_S)

    async def _one(self, address: Address) -> bool:
        """Send one alert; False when none waits."""
        address.bell.clear()
        row = await asyncio.to_thread(self._notifications.next, address.name)
        if row is None:
            address.pause = 0.0
            return False
        if time.time() - row["received"] > GIVE_UP_S:
            log.error(
                "address %d: the alert of %s %s could not be sent for a day and is given up",
                address.number,
                row["site"],
                row["node"],
            )
            await asyncio.to_thread(self._notifications.done, row["id"], address.name)
            return True
        title, body = wording(row, self._public_url, self._language)
        if await asyncio.to_thread(address.sender.notify, body, title):
            address.pause = 0.0
            await asyncio.to_thread(self._notifications.done, row["id"], address.name)
            return True
        log.warning("address %d: the alert of %s %s could not be sent", address.number, row["site"], row["node"])
        address.pause = min(max(2 * address.pause, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        await asyncio.to_thread(self._notifications.failed, row["id"], address.name)
        address.waiting = await asyncio.to_thread(self._notifications.waiting, address.name)
        return True


def wording(row: Row, public_url: str | None, language: str) -> tuple[str, str]:
    """Title and text of one notification."""
    catalogue = texts(language)
    what = f"kind.{row['kind']}" if row["kind"] in ("lost", "dropped") else f"state.{row['to_state']}"
    lines = [sentence(row["reason"], language)]
    if row["score"] is not None:
        lines.append(f"{catalogue['score']} {row['score']:.2f}")
    if row["level"] is not None:
        lines.append(f"{catalogue['level']} {row['level']:.1f} dBFS")
    if public_url:
        lines.append(f"{public_url.rstrip('/')}/node/{row['site']}/{row['node']}")
    return f"leakear: {catalogue[what]}: {row['site']} / {row['node']}", "\n".join(lines)


async def _wait(bell: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(bell.wait(), seconds)
    except TimeoutError:
        return


def _address(path: Path | None, number: int, url: str) -> Address:
    sender = apprise.Apprise()
    if not sender.add(url):
        raise ConfigError(f"{path}, address {number}: Apprise does not know this kind of URL.")
    return Address(number, hashlib.sha256(url.encode()).hexdigest()[:16], sender)


def _urls(path: Path | None) -> list[str]:
    """One Apprise URL a line; they contain secrets, so they are in a file and not on the command line."""
    if path is None:
        return []
    try:
        lines = read_text(path).splitlines()
    except OSError as error:
        raise ConfigError(f"--notify {path} cannot be read: {error.strerror}.") from error
    except TextError as error:
        raise ConfigError(f"--notify {path} {error}.") from None
    return list(dict.fromkeys(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")))
