"""Work that is repeated at an interval, whatever fails."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)


async def every(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Repeat `work`; what fails is logged and tried again: no message of a node may end the dashboard here."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except SQLAlchemyError:
            log.exception("the database failed; trying again later")
        except Exception:
            log.exception("regular work failed; trying again later")
