"""What a simulated node hears and says: a state that changes at random, and messages of the real classes to match.

Model and firmware say that it is simulated.
"""

import random
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from leakear.edge import __version__
from leakear.edge.decision.learning import NIGHTS_TO_BACKGROUND
from leakear.edge.messages.nights import Night
from leakear.edge.messages.reports import Event, Identity, Learning, ModelRef, State, Telemetry, utc_text, uuid7

MODEL = ModelRef(id="simulated", sha256="0" * 64)
FIRMWARE = f"{__version__} simulated"
STATE_EVERY_S = 60.0
WINDOW_S = 10.0
NEXT = {
    "OK": ("WARNING", "WARNING", "NOISY", "SENSOR_FAULT"),
    "WARNING": ("LEAK", "OK"),
    "LEAK": ("OK",),
    "NOISY": ("OK",),
    "SENSOR_FAULT": ("OK",),
}
LIMIT_DB = 3.0
MEANS = {"OK": (0.05, -62.0), "WARNING": (0.85, -50.0), "LEAK": (0.96, -47.0), "NOISY": (0.5, -30.0)}
"""state → score and level, dBFS; a node without sound has neither"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a node tells of its queue and its connection."""

    last_seq: int = 0
    depth: int = 0
    bytes: int = 0
    reconnects: int = 0
    certificate_expires: str | None = None


class Character:
    """One node, without its delivery. `chance`: nodes may share it. `clock_error_s`: how wrong its clock is."""

    def __init__(
        self, identity: Identity, chance: random.Random, *, clock_error_s: float = 0.0, clock_synced: bool = True
    ) -> None:
        self.identity, self._random = identity, chance
        self.clock_error_s, self.clock_synced = clock_error_s, clock_synced
        self.state, self.since = "OK", utc_text(self.clock())
        self.threshold, self.step_s = 0.5, WINDOW_S
        self.muted_until: str | None = None
        self.windows = 0
        self._drift = chance.gauss(0, 4)
        self._nights = chance.randint(0, 30)

    def clock(self) -> float:
        """Return the time as the node knows it, POSIX seconds."""
        return time.time() + self.clock_error_s

    def state_of(self, delivery: Delivery) -> State:
        """Return the state message."""
        score, level = self.measured()
        return State(
            site=self.identity.site, node=self.identity.node, state=self.state, since=self.since, score=score,
            level_dbfs=level, noise_floor_dbfs=None if level is None else level - 6,
            faults=("no_frames",) if self.state == "SENSOR_FAULT" else (), threshold=self.threshold,
            limit_db=self._limit_db, learning=self._learning, muted_until=self.muted_until, model=MODEL,
            firmware=FIRMWARE, window_end=utc_text(self.clock()), window_s=WINDOW_S, step_s=self.step_s,
            clock_synced=self.clock_synced, seq=delivery.last_seq, queue_depth=delivery.depth,
        )  # fmt: skip

    def telemetry_of(self, delivery: Delivery, uptime_s: float) -> Telemetry:
        """Return the telemetry message."""
        score, level = self.measured()
        return Telemetry(
            time=utc_text(self.clock()), uptime_s=round(uptime_s, 1), level_dbfs=level,
            noise_floor_dbfs=None if level is None else level - 6,
            noise_floor_drift_db=round(self._random.gauss(0, 0.5), 2), score=score, windows_produced=self.windows,
            windows_scored=self.windows, windows_discarded=0, windows_dropped=0, overruns=0,
            reconnects=delivery.reconnects, real_time_factor=0.01, queue_depth=delivery.depth,
            queue_bytes=delivery.bytes, temperature_c=round(40 + self._drift, 1), disk_free_bytes=8 * 10**9,
            rss_bytes=90 * 10**6, certificate_expires=delivery.certificate_expires, clock_synced=self.clock_synced,
            limit_db=self._limit_db, learning=self._learning,
        )  # fmt: skip

    def change(self) -> Event:
        """Change the state at random; return the event, whose `seq` is still 0."""
        before, self.state = self.state, self._random.choice(NEXT[self.state])
        moment = self.clock()
        self.since = utc_text(moment)
        return self._event_of("state", before, "A simulated change of state.", moment)

    def last_night(self) -> date:
        """Return the day of the last night that is over (02:00 to 04:00 UTC)."""
        return datetime.fromtimestamp(self.clock() - 4 * 3600, UTC).date()

    def night(self, day: date) -> Event:
        """Return the event of a night, whose `seq` is still 0."""
        midnight = datetime.combine(day, datetime.min.time(), UTC).timestamp()
        level, counts = round(self.measured()[1] or -62.0), sorted(self._random.choices(range(4), k=720))
        night = Night(
            date=day.isoformat(), hours="02:00-04:00", judged=1.0, level_dbfs=float(level), spread_db=2.7,
            steadiness=0.6, hz=630.0, histogram_from_dbfs=level,
            histogram=tuple(counts.count(db) for db in range(4)),
        )  # fmt: skip
        return replace(self._event_of("night", self.state, "A simulated night.", midnight + 4 * 3600), night=night)

    @property
    def _learning(self) -> Learning:
        ready = self._nights >= NIGHTS_TO_BACKGROUND
        return Learning(background_ready=ready, nights_known=self._nights, may_say="all" if ready else "strong leaks")

    @property
    def _limit_db(self) -> float | None:
        return LIMIT_DB if self._nights >= NIGHTS_TO_BACKGROUND else None

    def measured(self) -> tuple[float | None, float | None]:
        """Score and level (dBFS) of this moment; None for both during a sensor fault."""
        if self.state == "SENSOR_FAULT":
            return None, None
        score, level = MEANS[self.state]
        wander = self._random.gauss
        return round(min(max(wander(score, 0.03), 0), 1), 3), round(level + self._drift + wander(0, 1), 2)

    def _event_of(self, kind: str, before: str, reason: str, moment: float) -> Event:
        score, level = self.measured()
        return Event(
            id=uuid7(), seq=0, site=self.identity.site, node=self.identity.node, kind=kind, from_state=before,
            to_state=self.state, reason=reason, window_start=utc_text(moment - WINDOW_S),
            window_end=utc_text(moment), clock_synced=self.clock_synced, score=score, level_dbfs=level, model=MODEL,
        )  # fmt: skip
