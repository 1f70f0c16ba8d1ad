"""The night of a node, as its event carries it: what was heard through the quietest hours."""

from datetime import date

from leakear.edge.fields import declare
from leakear.edge.messages.codec import Message, MessageError, message


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise MessageError(f"{text} is not a day of the calendar ({error}).") from error


@message
class Night(Message):
    """One night of one place: the levels of its windows (dBmin, dBFS) between two hours of its own time zone."""

    SCHEMA = None
    date: str = declare(
        "day on which it began, in the place's own time zone",
        pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
        verify=_day,
    )
    hours: str = declare(
        "first and last hour and minute, in that time zone", pattern=r"[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}"
    )
    judged: float = declare("share of these hours that was judged", minimum=0, maximum=1)
    level_dbfs: float | None = declare("lowest level, dBFS; null: nothing was judged", minimum=-400, maximum=20)
    spread_db: float | None = declare("95th less 5th percentile of the levels, dB", minimum=0, maximum=420)
    steadiness: float | None = declare("share of windows within 1 dB of the median level", minimum=0, maximum=1)
    hz: float | None = declare(
        "loudest third octave from 200 Hz on in the quiet moments, Hz; null: too little was heard",
        minimum=0,
        maximum=200000,
    )
    histogram_from_dbfs: int | None = declare(
        "lower edge of the first bin, dBFS", minimum=-400, maximum=20, default=None
    )
    histogram: tuple[int, ...] = declare("windows in each dB from there on", items=(0, 64), minimum=0, default=())
    excess_db: float | None = declare(
        "what stood over the background through nine tenths of it, dB; null: not known",
        minimum=-400,
        maximum=400,
        default=None,
    )
    limit_db: float | None = declare(
        "excess from which this night counted as risen, dB; null: too few nights were known",
        minimum=0,
        maximum=400,
        default=None,
    )
