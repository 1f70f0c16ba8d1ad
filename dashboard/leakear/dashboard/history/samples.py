"""History of score, level and noise floor: sums per minute, and per hour."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import BigInteger, Connection, Engine, case, cast, delete, func, insert, literal, select

from leakear.dashboard.fleet import Fleet, Key
from leakear.dashboard.fleet.ring import SLOT_S, Sums
from leakear.dashboard.history import insert_new, partitions
from leakear.dashboard.history.pruning import prune
from leakear.dashboard.history.rows import batched
from leakear.dashboard.history.tables import samples

MINUTE, HOUR = 60, 3600
MAX_POINTS = 1500
"""about as many as a chart has pixels"""
ADDED = ("score_n", "score_sum", "level_n", "level_sum", "floor_n", "floor_sum")


class Samples:
    """Reads and writes the measured values. Blocking: the event loop calls it in a thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def add(self, buckets: Sequence[tuple[Key, Sums]], seconds: int = MINUTE) -> None:
        """Store finished buckets; add to a bucket that exists already (after a restart within the minute)."""
        for part in batched(buckets):
            with self.engine.begin() as connection:
                self.merge(connection, part, seconds)

    def merge(self, connection: Connection, buckets: Sequence[tuple[Key, Sums]], seconds: int = MINUTE) -> None:
        """Do what `add` does, in the caller's transaction; buckets are sorted, so that two writers do not deadlock."""
        rows = [{"site": k[0], "node": k[1], "seconds": seconds, **asdict(sums)} for k, sums in buckets]
        rows.sort(key=lambda row: (row["site"], row["node"], row["start"]))
        statement = insert_new(self.engine, samples)
        kept: dict[str, Any] = {name: samples.c[name] + statement.excluded[name] for name in ADDED}
        kept["score_max"] = _extreme(samples.c.score_max, statement.excluded.score_max, larger=True)
        kept["level_max"] = _extreme(samples.c.level_max, statement.excluded.level_max, larger=True)
        kept["level_min"] = _extreme(samples.c.level_min, statement.excluded.level_min, larger=False)
        keys = ["site", "node", "seconds", "start"]
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=kept), rows)

    def roll_up(self, now: float) -> None:
        """Compute the sums of finished hours from their minutes; repeating it gives the same result."""
        over = int(now // HOUR) * HOUR
        done = self._last_hour()
        start = (func.floor(samples.c.start / float(HOUR)) * HOUR).label("hour")
        span = (samples.c.seconds == MINUTE, samples.c.start < over, samples.c.start >= done)
        sums = [func.sum(samples.c[name]).label(name) for name in ADDED]
        extremes = [func.max(samples.c.score_max), func.min(samples.c.level_min), func.max(samples.c.level_max)]
        columns = (samples.c.site, samples.c.node, literal(HOUR), cast(start, BigInteger), *sums, *extremes)
        found = select(*columns).where(*span).group_by(samples.c.site, samples.c.node, start)
        names = ["site", "node", "seconds", "start", *ADDED, "score_max", "level_min", "level_max"]
        with self.engine.begin() as connection:
            connection.execute(delete(samples).where(samples.c.seconds == HOUR, samples.c.start >= done))
            connection.execute(insert(samples).from_select(names, found))

    def sweep(self, now: float, keep_minutes_s: float, keep_hours_s: float) -> None:
        """Delete what is too old, after the sums of the hours were computed."""
        self.roll_up(now)
        spans = ((MINUTE, partitions.MINUTES, now - keep_minutes_s), (HOUR, partitions.HOURS, now - keep_hours_s))
        for seconds, parts, before in spans:
            partitions.drop(self.engine, parts, before)
            prune(self.engine, samples, (samples.c.seconds == seconds) & (samples.c.start < before))

    def series(self, key: Key, since: float, until: float) -> dict[str, Any]:
        """Columns for a chart: bucket starts (POSIX seconds), means, extremes; per hour beyond MAX_POINTS."""
        seconds = MINUTE if (until - since) / MINUTE <= MAX_POINTS else HOUR
        wanted = samples.c.seconds == seconds
        if seconds == HOUR:  # the newest hours have no sums yet
            wanted |= (samples.c.seconds == MINUTE) & (samples.c.start >= self._last_hour() + HOUR)
        mine = (samples.c.site == key[0], samples.c.node == key[1], wanted)
        span = (samples.c.start >= since - seconds, samples.c.start <= until)
        with self.engine.connect() as connection:
            rows = connection.execute(select(samples).where(*mine, *span).order_by(samples.c.start)).all()
        return {
            "seconds": seconds,
            "start": [r.start for r in rows],
            "score": [_mean(r.score_sum, r.score_n) for r in rows],
            "score_max": [_round(r.score_max) for r in rows],
            "level": [_mean(r.level_sum, r.level_n) for r in rows],
            "level_min": [_round(r.level_min) for r in rows],
            "level_max": [_round(r.level_max) for r in rows],
            "floor": [_mean(r.floor_sum, r.floor_n) for r in rows],
        }

    def refill(self, fleet: Fleet, now: float) -> None:
        """Fill the rings of the last hour after a restart; a minute fills six slots with the same values."""
        fresh = (samples.c.seconds == MINUTE, samples.c.start >= now - HOUR)
        with self.engine.connect() as connection:
            for row in connection.execute(select(samples).where(*fresh).order_by(samples.c.start)):
                node = fleet.get((row.site, row.node))
                values = (row.score_max, _mean(row.level_sum, row.level_n), _mean(row.floor_sum, row.floor_n))
                if node is not None:
                    for at in range(row.start, row.start + MINUTE, SLOT_S):
                        node.ring.add(at, *values)

    def _last_hour(self) -> int:
        """Return the start of the newest stored hour; it may lack minutes that were stored later."""
        with self.engine.connect() as connection:
            return connection.scalar(select(func.max(samples.c.start)).where(samples.c.seconds == HOUR)) or 0


def _extreme(old: Any, new: Any, *, larger: bool) -> Any:
    """Greatest or least of two columns, of which either may be NULL."""
    wins = new > old if larger else new < old
    return case((old.is_(None), new), (new.is_(None), old), (wins, new), else_=old)


def _mean(total: float, count: int) -> float | None:
    return _round(total / count) if count else None


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
