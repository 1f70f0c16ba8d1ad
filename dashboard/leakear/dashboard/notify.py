"""E-mail, webhooks and the hundred other ways to reach a person, through Apprise."""

import asyncio
import logging
from pathlib import Path

import apprise

from leakear.dashboard.history import Row
from leakear.dashboard.i18n import texts
from leakear.edge.errors import ConfigError

log = logging.getLogger(__name__)
WAITING = 200
"""notifications that may wait for a slow mail server; beyond, the newest are only logged"""


class Notifier:
    """Sends one message per alert, in the background; a failure is logged and tried again twice."""

    def __init__(self, urls_file: Path | None, public_url: str | None, language: str = "en") -> None:
        self._public_url = public_url
        self._texts = texts(language)
        self._queue: asyncio.Queue[Row] = asyncio.Queue(WAITING)
        self._ways = apprise.Apprise()
        for number, url in enumerate(_urls(urls_file), 1):
            if not self._ways.add(url):
                raise ConfigError(f"{urls_file}, address {number}: Apprise does not know this kind of URL.")

    def tell(self, row: Row) -> None:
        """Note an alert to be sent."""
        if not len(self._ways):
            return
        if self._queue.full():
            log.error("notifications pile up: %s %s is not sent", row["site"], row["node"])
        else:
            self._queue.put_nowait(row)

    async def run(self) -> None:
        """Send for ever."""
        while True:
            row = await self._queue.get()
            title, body = wording(row, self._public_url, self._texts)
            for pause in (5, 30, 0):
                if await asyncio.to_thread(self._ways.notify, body, title):
                    break
                log.warning("a notification about %s %s could not be delivered", row["site"], row["node"])
                await asyncio.sleep(pause)


def wording(row: Row, public_url: str | None, catalogue: dict[str, str]) -> tuple[str, str]:
    """Title and text of one notification."""
    what = f"kind.{row['kind']}" if row["kind"] in ("lost", "dropped") else f"state.{row['to_state']}"
    lines = [row["reason"]]
    if row["score"] is not None:
        lines.append(f"{catalogue['score']} {row['score']:.2f}")
    if row["level"] is not None:
        lines.append(f"{catalogue['level']} {row['level']:.1f} dBFS")
    if public_url:
        lines.append(f"{public_url.rstrip('/')}/node/{row['site']}/{row['node']}")
    return f"leakear: {catalogue[what]}: {row['site']} / {row['node']}", "\n".join(lines)


def _urls(path: Path | None) -> list[str]:
    """One Apprise URL a line; they hold secrets, so they stand in a file and not on the command line."""
    if path is None:
        return []
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ConfigError(f"--notify {path} cannot be read: {error.strerror}.") from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
