"""Work that is repeated at an interval, whatever the database does."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)


async def every(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Repeat `work`; a failure of the database is logged."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except SQLAlchemyError:
            log.exception("the database failed; trying again later")
