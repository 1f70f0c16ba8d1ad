"""The weekly health report: kept in the database for the command; where it was asked for, sent to who is notified."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, insert, select, update

from leakear.dashboard.alerting.notifier import Notifier
from leakear.dashboard.health.weekday import Weekly
from leakear.dashboard.history.tables import about
from leakear.dashboard.reports.brand import Brand
from leakear.dashboard.reports.health import health_document
from leakear.dashboard.reports.plain import render_text

KEPT = "health"
"""row of `about` that holds the newest snapshot"""
LATE_S = 86400.0
"""s after its hour for which a report is still sent: the dashboard was down, or the address failed"""
PAUSE_S = 600.0
"""s between two tries at an address that fails"""
CHARACTERS = 20000
"""of one message"""


def kept(engine: Engine) -> tuple[dict[str, Any], float] | None:
    """Return the newest snapshot and when it was taken; None: none yet."""
    with engine.connect() as connection:
        found = connection.scalar(select(about.c.value).where(about.c.name == KEPT))
    if found is None:
        return None
    row = json.loads(found)
    return row["care"], float(row["at"])


class HealthReport:
    """Keeps the snapshot, and sends the report. `read`: the health of the fleet now."""

    def __init__(
        self, engine: Engine, notifier: Notifier, read: Callable[[], dict[str, Any]], weekly: Weekly | None, *,
        language: str, brand: str, public_url: str | None,
    ) -> None:  # fmt: skip
        self._engine, self._notifier, self._read, self._weekly = engine, notifier, read, weekly
        self._language, self._brand, self._public_url = language, brand, public_url
        self._again: dict[str, float] = {}  # address → POSIX seconds of the next try

    async def step(self) -> None:
        """Keep the present health; send it when it is due."""
        now, care = time.time(), self._read()
        await asyncio.to_thread(self.keep, care, now)
        if self._weekly is None:
            return
        due = self._weekly.last(now)
        if now - due > LATE_S:
            return
        for name in self._notifier.addresses:
            if now >= self._again.get(name, 0.0) and await asyncio.to_thread(self._sent, name) < due:
                await self._send(name, care, now)

    async def _send(self, name: str, care: dict[str, Any], now: float) -> None:
        """Send to one address, and note that it was taken: what is not noted is sent again, also after a restart."""
        self._again[name] = now + PAUSE_S
        document = health_document(care, now, self._language, Brand(self._brand))
        text = render_text(document)[:CHARACTERS]
        if self._public_url:
            text += f"\n{self._public_url.rstrip('/')}/reports\n"
        if await self._notifier.send(name, f"leakear: {document.title}", text):
            del self._again[name]
            await asyncio.to_thread(self._store, _mark(name), str(now))

    def keep(self, care: dict[str, Any], now: float) -> None:
        """Store a snapshot. Blocking."""
        self._store(KEPT, json.dumps({"at": now, "care": care}))

    def _sent(self, name: str) -> float:
        with self._engine.connect() as connection:
            return float(connection.scalar(select(about.c.value).where(about.c.name == _mark(name))) or 0.0)

    def _store(self, name: str, value: str) -> None:
        with self._engine.begin() as connection:
            if not connection.execute(update(about).where(about.c.name == name).values(value=value)).rowcount:
                connection.execute(insert(about).values(name=name, value=value))


def _mark(address: str) -> str:
    return f"health-sent {address}"
