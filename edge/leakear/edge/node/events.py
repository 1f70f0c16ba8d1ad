"""Events and the state message, as functions of a status; and the writer that knows what was reported before."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from leakear.edge import __version__
from leakear.edge.decision.night_levels import NightLevels
from leakear.edge.messages.nights import Night
from leakear.edge.messages.reports import DecidedOn, Event, Learning, ModelTrial, State, utc_text, uuid7
from leakear.edge.node.status import NodeStatus
from leakear.edge.pipeline import Result
from leakear.edge.recording.quality import clock_message, sample_clock_message

_LEVELS = (-400.0, 20.0)
"""dBFS that a message may carry"""


class EventWriter:
    """Decides which result becomes an event: a change of state, or else a change of faults."""

    def __init__(self) -> None:
        self.since_utc = 0.0
        """s since 1970; the state holds since then"""
        self._reported: tuple[str, ...] = ()  # names of the faults in the newest event

    def event_of(self, result: Result, status: NodeStatus) -> Event | None:
        """Return the event of this result; None when nothing changed."""
        before, self._reported = self._reported, tuple(status.faults)
        if result.transition:
            self.since_utc = result.end_utc
            change = (result.transition.source.value, result.transition.target.value)
            return self._event("state", change, result.transition.reason, result, status)
        changes = (
            ("began", set(self._reported) - set(before)),
            ("ended", set(before) - set(self._reported)),
        )
        reason = "; ".join(f"{verb}: {', '.join(sorted(names))}" for verb, names in changes if names)
        same = (result.state.value, result.state.value)
        return self._event("fault", same, reason, result, status) if reason else None

    def announcement(self, kind: str, reason: str, result: Result, status: NodeStatus) -> Event:
        """Return an event that changes no state (a model was replaced, a person accepted the noise floor)."""
        return self._event(kind, (status.state, status.state), reason, result, status)

    def _event(self, kind: str, change: tuple[str, str], reason: str, result: Result, status: NodeStatus) -> Event:
        return event(kind, change, reason, result=result, status=status, faults=self._reported)

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON."""
        return {"since_utc": self.since_utc, "faults": list(self._reported)}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Continue from a snapshot: what was reported is not reported again. Raises KeyError, TypeError, ValueError."""
        since, reported = float(saved["since_utc"]), tuple(map(str, saved["faults"]))
        self.since_utc, self._reported = since, reported


def event(
    kind: str, change: tuple[str, str], reason: str, *, result: Result, status: NodeStatus, faults: Sequence[str]
) -> Event:
    """Build an event. `change`: state before and after; the outbox sets `seq`."""
    return Event(
        id=uuid7(result.end_utc),
        seq=0,
        site=status.identity.site,
        node=status.identity.node,
        kind=kind,
        from_state=change[0],
        to_state=change[1],
        reason=reason[:500],
        window_start=utc_text(result.start_utc),
        window_end=utc_text(result.end_utc),
        clock_synced=status.clock_synced,
        score=result.score,
        on_fraction=status.on_fraction,
        level_dbfs=level_of(result),
        decided_on=_decided_on(result),
        faults=tuple(faults),
        model=status.model,
    )


def night_event(night: NightLevels, result: Result, status: NodeStatus, *, minutes: tuple[int, int]) -> Event:
    """Build the event of a night that ended with this result. `minutes`: its first and last one of the local day."""
    same, day = (status.state, status.state), date.fromordinal(night.day).isoformat()
    heard = "nothing could be judged" if night.level_dbfs is None else f"level {night.level_dbfs:g} dBFS"
    reason = f"night of {day}: {heard}, {night.judged:.0%} judged"
    found = event("night", same, reason, result=result, status=status, faults=tuple(status.faults))
    return replace(
        found,
        window_start=utc_text(night.first_utc - status.window_s),
        window_end=utc_text(night.last_utc),
        night=Night(
            date=day,
            hours="-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in minutes),
            judged=round(night.judged, 3),
            level_dbfs=night.level_dbfs,
            spread_db=night.spread_db,
            steadiness=None if night.steadiness is None else round(night.steadiness, 3),
            hz=None if night.hz is None else round(night.hz, 1),
            histogram_from_dbfs=night.histogram_from_dbfs,
            histogram=night.histogram,
            excess_db=_rounded(night.excess_db),
            limit_db=_rounded(night.limit_db),
        ),
    )


def state_message(status: NodeStatus) -> State:
    """Build the state message."""
    last = status.last
    return State(
        site=status.identity.site,
        node=status.identity.node,
        state=status.state,
        since=utc_text(status.since_utc),
        score=last.score if last else None,
        level_dbfs=level_of(last),
        noise_floor_dbfs=floor_of(last),
        faults=tuple(status.faults),
        threshold=status.threshold,
        level_gate_dbfs=status.level_gate_dbfs,
        threshold_from=status.threshold_from,
        limit_db=limit_of(status),
        learning=learning_of(status),
        muted_until=muted_text(status),
        asleep_until=None if status.asleep_until is None else utc_text(status.asleep_until),
        model=status.model,
        staged_model=status.staged_model,
        model_trial=trial_of(status),
        firmware=__version__,
        window_end=utc_text(last.end_utc) if last else None,
        window_s=status.window_s,
        step_s=status.step_s,
        clock_synced=status.clock_synced,
        clock=clock_message(status.clock),
        sample_clock=sample_clock_message(status.timing),
        seq=status.seq,
        queue_depth=status.queue_depth,
    )


def muted_text(status: NodeStatus) -> str | None:
    """UTC until when alerts are muted, as messages carry it; None: not muted."""
    return None if status.muted_until is None else utc_text(status.muted_until)


def trial_of(status: NodeStatus) -> ModelTrial | None:
    """Return the trial of a new model, as messages carry it."""
    trial = status.trial
    if trial is None:
        return None
    until = utc_text(trial.ends_utc)
    return ModelTrial(model=trial.model, beside=trial.beside, decides=trial.decides, until=until)


def learning_of(status: NodeStatus) -> Learning:
    """Return what has been learnt of the place, as messages carry it."""
    learnt = status.learning
    return Learning(background_ready=learnt.background_ready, nights_known=learnt.nights_known, may_say=learnt.may_say)


def limit_of(status: NodeStatus) -> float | None:
    """Excess from which a sound counts, dB, as messages carry it."""
    return _rounded(status.learning.limit_db)


def _decided_on(result: Result) -> DecidedOn | None:
    """Return what the WARNING or LEAK of a result was decided on, as messages carry it."""
    found = result.transition.decided_on if result.transition else None
    if found is None:
        return None
    excess_db, hz, limit_db = map(_rounded, (found.excess_db, found.hz, found.limit_db))
    return DecidedOn(
        by=found.by,
        on_share=round(found.on_share, 4),
        excess_db=excess_db,
        hz=hz,
        limit_db=limit_db,
        nights_known=found.nights_known,
        nights_risen=found.nights_risen,
    )


def level_of(result: Result | None) -> float | None:
    """RMS of the window, dBFS, as messages carry it."""
    return None if result is None or result.health is None else _bounded(result.health.level_dbfs)


def floor_of(result: Result | None) -> float | None:
    """Noise floor, dBFS, as messages carry it."""
    return None if result is None or result.health is None else _bounded(result.health.noise_floor_dbfs)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _bounded(level: float) -> float:
    return round(min(max(level, _LEVELS[0]), _LEVELS[1]), 2)
