"""Work that is repeated at an interval, whatever fails."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)


Work = Callable[[], Coroutine[Any, Any, None]]


def repeated(
    works: Sequence[tuple[float, Work]], due: Callable[[], bool] = lambda: True
) -> list[Coroutine[Any, Any, None]]:
    """Return what repeats each work at its interval, s."""
    return [every(seconds, work, due) for seconds, work in works]


async def every(seconds: float, work: Work, due: Callable[[], bool] = lambda: True) -> None:
    """Repeat `work` while `due`; what fails is logged and tried again: no message of a node may end the dashboard."""
    while True:
        await asyncio.sleep(seconds)
        try:
            if due():
                await work()
        except SQLAlchemyError:
            log.exception("the database failed; trying again later")
        except Exception:
            log.exception("regular work failed; trying again later")
