"""Limits how often the same line is written to the log: whoever causes a line must not fill the disk with it."""

import logging
import time
from collections import OrderedDict

LINES = 30
"""lines of one kind within PERIOD_S"""
PERIOD_S = 60.0
KINDS = 500
"""kinds of lines that are counted"""


class LogLimit(logging.Filter):
    """Filter of a handler: lines of the same logger, level and template are one kind."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: OrderedDict[tuple[str, int, str], list[float]] = OrderedDict()
        """kind → beginning of its period, lines in it"""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write a line; the first of a new period says how many were left out of the last one."""
        kind, now = (record.name, record.levelno, str(record.msg)[:200]), time.monotonic()
        period = self._kinds.setdefault(kind, [now, 0])
        if len(self._kinds) > KINDS:
            self._kinds.popitem(last=False)
        if now - period[0] >= PERIOD_S:
            left_out = int(period[1]) - LINES
            period[:] = [now, 0]
            if left_out > 0:
                record.msg = f"{record.msg} ({left_out} more such lines were left out)"
        period[1] += 1
        return period[1] <= LINES
