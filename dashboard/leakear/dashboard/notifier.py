"""E-mail, webhooks and the hundred other ways to reach a person, through Apprise."""

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
from leakear.dashboard.notifications import Notices
from leakear.edge.errors import ConfigError

log = logging.getLogger(__name__)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
"""after a failure, doubled with each further one"""
GIVE_UP_S = 86400.0
"""age beyond which nobody is woken any more for an alert that could not be told; the log has it"""
LOOK_S = 60.0
"""at the latest it is looked for what waits"""


@dataclass(eq=False)
class Way:
    """One address."""

    number: int
    """line of the file, for people: the address itself may hold a password"""
    name: str
    """digest of the address: what waits in the database belongs to it"""
    sender: apprise.Apprise
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    pause: float = 0.0
    """seconds until the next try; 0 while it works"""
    waiting: int = 0
    """alerts that wait since it does not work"""


class Notifier:
    """Tells each alert by each address. What fails is tried again for a day, over restarts too, and shown."""

    def __init__(self, urls_file: Path | None, public_url: str | None, notices: Notices, language: str = "en") -> None:
        self._public_url = public_url
        self._language = language
        self._notices = notices
        self._ways = [_way(urls_file, number, url) for number, url in enumerate(_urls(urls_file), 1)]

    @property
    def ways(self) -> list[str]:
        """Names of the addresses."""
        return [way.name for way in self._ways]

    @property
    def trouble(self) -> str | None:
        """One sentence while an address does not work."""
        bad = next((way for way in self._ways if way.pause), None)
        if bad is None:
            return None
        return f"Notifications by address {bad.number} of --notify fail: {bad.waiting} alerts wait to be told."

    def wake(self) -> None:
        """Look at once: alerts were recorded."""
        for way in self._ways:
            way.bell.set()

    async def run(self) -> None:
        """Tell for ever, each address at its own pace."""
        await asyncio.to_thread(self._notices.keep_only, self.ways)
        async with asyncio.TaskGroup() as group:
            for way in self._ways:
                group.create_task(self._serve(way))

    async def _serve(self, way: Way) -> None:
        while True:
            try:
                more = await self._one(way)
            except SQLAlchemyError:
                log.exception("notices")
                more = False
            if way.pause:
                await asyncio.sleep(way.pause)
            elif not more:
                await _rung(way.bell, LOOK_S)

    async def _one(self, way: Way) -> bool:
        """Tell one alert, if one waits."""
        way.bell.clear()
        row = await asyncio.to_thread(self._notices.next, way.name)
        if row is None:
            way.pause = 0.0
            return False
        if time.time() - row["received"] > GIVE_UP_S:
            log.error("address %d was not told of %s %s for a day: given up", way.number, row["site"], row["node"])
            await asyncio.to_thread(self._notices.done, row["id"], way.name)
            return True
        title, body = wording(row, self._public_url, self._language)
        if await asyncio.to_thread(way.sender.notify, body, title):
            way.pause = 0.0
            await asyncio.to_thread(self._notices.done, row["id"], way.name)
            return True
        log.warning("address %d could not be told of %s %s", way.number, row["site"], row["node"])
        way.pause = min(max(2 * way.pause, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        await asyncio.to_thread(self._notices.failed, row["id"], way.name)
        way.waiting = await asyncio.to_thread(self._notices.waiting, way.name)
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


async def _rung(bell: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(bell.wait(), seconds)
    except TimeoutError:
        return


def _way(path: Path | None, number: int, url: str) -> Way:
    sender = apprise.Apprise()
    if not sender.add(url):
        raise ConfigError(f"{path}, address {number}: Apprise does not know this kind of URL.")
    return Way(number, hashlib.sha256(url.encode()).hexdigest()[:16], sender)


def _urls(path: Path | None) -> list[str]:
    """One Apprise URL a line; they hold secrets, so they stand in a file and not on the command line."""
    if path is None:
        return []
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ConfigError(f"--notify {path} cannot be read: {error.strerror}.") from error
    return list(dict.fromkeys(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")))
