"""Slots: the moments of a night at which nodes record without being asked.

They depend on the night's hours, the place's time zone and the number of slots alone, so nodes with the same options
record the same seconds without a word between them. Which slot was quiet is decided afterwards, by whoever compares
the recordings: only then is it known how loud it was at both ends (decision 142).
"""

from datetime import date, datetime, timedelta, tzinfo


def next_slot(utc: float, night: tuple[int, int], zone: tzinfo | None, count: int) -> float:
    """Return when the first slot after `utc` begins, s since 1970. `night`: first and last minute of the local day."""
    today = datetime.fromtimestamp(utc, zone).date()
    days = (today + timedelta(days=ahead) for ahead in (-1, 0, 1, 2))
    return min(at for day in days for at in slots(day, night, zone, count) if at > utc)


def slots(day: date, night: tuple[int, int], zone: tzinfo | None, count: int) -> list[float]:
    """Return when the slots of the night that begins on this day begin, s since 1970."""
    begin = datetime(day.year, day.month, day.day, *divmod(night[0], 60), tzinfo=zone).timestamp()
    length_s = (night[1] - night[0]) % 1440 * 60
    return [begin + length_s * number // count for number in range(count)]
