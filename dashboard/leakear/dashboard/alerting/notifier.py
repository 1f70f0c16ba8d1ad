"""Sends alerts to people by e-mail, webhook and other services, with Apprise."""

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import apprise

from leakear.dashboard.accounts.throttle import Budgets
from leakear.dashboard.alerting.notifications import Notifications
from leakear.dashboard.alerting.wording import severity, wording, wording_of_many
from leakear.dashboard.history import Row
from leakear.dashboard.i18n import texts
from leakear.dashboard.text_file import read_text
from leakear.edge.errors import ConfigError, InputDataError

log = logging.getLogger(__name__)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
"""after a failure, doubled with each further one"""
GIVE_UP_S = 86400.0
"""age beyond which an alert that cannot be sent is given up, after one more try; it stays in the log"""
SINGLE = 5
"""alerts that wait for an address and are sent one by one; more are sent in one message"""
BURST, PER_S = 10.0, 1 / 60
"""messages that one node may cause, or all new nodes together: so many at once, then so many a second

An alert that comes meanwhile waits, or is sent together with another node's.
"""
LOOK_AGAIN_S = 1.0
"""interval at which they are looked up while no message may be sent: another node's alert need not wait"""
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
    kind: str = ""
    """the kind of service, such as mailtos: the part before ://"""
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    pause: float = 0.0
    """seconds until the next try; 0 while it works"""
    budgets: Budgets = field(default_factory=lambda: Budgets(BURST, PER_S))
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

    def states(self) -> list[Row]:
        """Return each address without its secrets, and how many alerts wait while it does not work."""
        return [
            {"number": address.number, "kind": address.kind, "trouble": bool(address.pause),
             "waiting": address.waiting if address.pause else 0}
            for address in self._addresses
        ]  # fmt: skip

    async def test(self, number: int, who: str) -> bool:
        """Send a test message to one address now; return whether it was taken. Raises InputDataError."""
        address = next((one for one in self._addresses if one.number == number), None)
        if address is None:
            raise InputDataError("There is no such address in the file of --notify.")
        catalogue = texts(self._language)
        body = catalogue["notify.test.body"].format(who=who)
        return await self.send(address.name, f"leakear: {catalogue['notify.test']}", body)

    async def send(self, name: str, title: str, body: str) -> bool:
        """Send a message that is no alert to the address of this name; return whether it was taken."""
        address = next(one for one in self._addresses if one.name == name)
        kind = apprise.NotifyType("info")
        send = partial(address.sender.notify, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
        return bool(await asyncio.to_thread(send, body, title))

    @property
    def trouble(self) -> str | None:
        """One sentence while an address does not work."""
        bad = next((address for address in self._addresses if address.pause), None)
        if bad is None:
            return None
        return f"Notifications by address {bad.number} of --notify fail; alerts waiting: {bad.waiting}."

    def wake(self) -> None:
        """Send new alerts now."""
        for address in self._addresses:
            address.bell.set()

    async def run(self) -> None:
        """Send notifications until cancelled; addresses do not wait for each other."""
        try:
            await asyncio.to_thread(self._notifications.keep_only, self.addresses)
        except Exception:
            log.exception("notifications for addresses that are no longer used could not be deleted")
        async with asyncio.TaskGroup() as group:
            for address in self._addresses:
                group.create_task(self._serve(address))

    async def _serve(self, address: Address) -> None:
        while True:
            try:
                more = await self._one(address)
            except Exception:  # no alert may end the notifications of others
                log.exception("address %d: notifying failed; trying again later", address.number)
                more = False
            if address.pause:
                await asyncio.sleep(address.pause)
            elif not more:
                await _wait(address.bell, LOOK_S)

    async def _one(self, address: Address) -> bool:
        """Send one message; False when no alert waits."""
        address.bell.clear()
        rows = await asyncio.to_thread(self._notifications.next, address.name)
        if not rows:
            address.pause = 0.0
            return False
        now = time.monotonic()
        waits = [address.budgets.wait(_cause(row), now) for row in rows]
        if min(waits) > 0:
            await asyncio.sleep(min(LOOK_AGAIN_S, *waits))
            return True
        await self._send(address, rows if len(rows) > SINGLE else [rows[waits.index(0)]])
        return True

    async def _send(self, address: Address, rows: list[Row]) -> None:
        """Send alerts in one message, as plain text: what a node writes is never markup."""
        ids = [row["id"] for row in rows]
        if await self._sent(address, rows):
            address.pause = 0.0
            for cause in {_cause(row) for row in rows}:
                address.budgets.take(cause, time.monotonic())
            await asyncio.to_thread(self._notifications.done, ids, address.name)
            return
        log.warning("address %d: %d alerts could not be sent, the first of %s %s", address.number, len(rows),
                    rows[0]["site"], rows[0]["node"])  # fmt: skip
        address.pause = min(max(2 * address.pause, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        await asyncio.to_thread(self._notifications.failed, ids, address.name)
        await self._give_up(address, [row for row in rows if time.time() - row["received"] > GIVE_UP_S])
        address.waiting = await asyncio.to_thread(self._notifications.waiting, address.name)

    async def _sent(self, address: Address, rows: list[Row]) -> bool:
        """Whether a message was sent; one that cannot even be written must not hold up others either."""
        try:
            if len(rows) > 1:
                title, body = wording_of_many(rows, self._public_url, self._language)
            else:
                title, body = wording(rows[0], self._public_url, self._language)
            kind = apprise.NotifyType(severity(rows))
            send = partial(address.sender.notify, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
            return bool(await asyncio.to_thread(send, body, title))
        except Exception:
            log.exception("address %d: a message failed unexpectedly", address.number)
            return False

    async def _give_up(self, address: Address, rows: list[Row]) -> None:
        for row in rows:
            log.error("address %d: the alert of %s %s could not be sent for a day and is given up", address.number,
                      row["site"], row["node"])  # fmt: skip
        await asyncio.to_thread(self._notifications.done, [row["id"] for row in rows], address.name)


def _cause(row: Row) -> str:
    """Return whose budget an alert uses: that of its node, or the common one of new nodes, which anybody can invent."""
    return f"{row['site']}/{row['node']}" if row["known"] else "new"


async def _wait(bell: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(bell.wait(), seconds)
    except TimeoutError:
        return


def _address(path: Path | None, number: int, url: str) -> Address:
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its lines quote addresses, with their passwords
    sender = apprise.Apprise()
    if not sender.add(url):
        raise ConfigError(f"{path}, address {number}: Apprise does not know this kind of URL.")
    if "format=" not in url:
        for server in sender:
            server.notify_format = apprise.NotifyFormat.TEXT
    return Address(number, hashlib.sha256(url.encode()).hexdigest()[:16], sender, url.partition(":")[0])


def _urls(path: Path | None) -> list[str]:
    """One Apprise URL a line; they contain secrets, so they are in a file and not on the command line."""
    if path is None:
        return []
    lines = read_text(path, "--notify", secret=True).splitlines()
    return list(dict.fromkeys(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")))
