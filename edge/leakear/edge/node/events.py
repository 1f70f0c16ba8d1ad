"""What is worth saying: a result becomes an event when the state or a fault changes, and the state message holds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from leakear.edge.decision.rule import NO_GATE_DBFS
from leakear.edge.messages.reports import Event
from leakear.edge.messages.reports import State as StateMessage
from leakear.edge.node import detector
from leakear.edge.node.reports import Speaker

if TYPE_CHECKING:
    from leakear.edge.node.node import Node
    from leakear.edge.pipeline import Result


class News:
    """What one node has told so far, and what it says now."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._speaker = self.introduce()
        self._told: tuple[str, ...] = ()
        """faults of the newest event"""
        self.since_utc = 0.0
        """s since 1970; the state holds since then"""

    def introduce(self) -> Speaker:
        """Speak with the model and step that are in use now."""
        node = self._node
        self._speaker = Speaker.of(node.settings.node.identity, node.model.info, node.pipeline.step_s)
        return self._speaker

    @property
    def speaker(self) -> Speaker:
        """Who speaks."""
        return self._speaker

    def of(self, result: "Result") -> Event | None:
        """Return the event of a change of state, else of a change of faults."""
        faults, before = self._node.faults, self._told
        self._told = faults
        if result.transition:
            self.since_utc = result.end_utc
            change = (result.transition.source.value, result.transition.target.value)
            return self.event("state", change, result.transition.reason, result)
        changes = (("began", set(faults) - set(before)), ("ended", set(before) - set(faults)))
        reason = "; ".join(f"{verb}: {', '.join(sorted(names))}" for verb, names in changes if names)
        return self.event("fault", (result.state.value, result.state.value), reason, result) if reason else None

    def event(self, kind: str, change: tuple[str, str], reason: str, result: "Result") -> Event:
        """Say what happened."""
        return self._speaker.event(
            kind,
            change,
            reason,
            result,
            synced=self._node.clock.look(),
            on_fraction=self._node.pipeline.decision.on_fraction,
            faults=self._told,
        )

    def state(self) -> StateMessage:
        """Say what holds now."""
        node = self._node
        said = self._speaker.state(
            node.pipeline.decision.state.value,
            self.since_utc,
            node.last,
            threshold=node.pipeline.decision.rule.threshold,
            faults=node.faults,
            muted_until=node.muted_until,
            synced=node.clock.look(),
            seq=node.outbox.last_seq,
            queue_depth=node.outbox.depth,
        )
        gate = node.pipeline.decision.rule.level_gate_dbfs
        return replace(
            said,
            staged_model=node.staged,
            level_gate_dbfs=gate if gate > NO_GATE_DBFS else None,
            threshold_from=detector.tuned_by(node),
        )

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON."""
        return {"since_utc": self.since_utc, "faults": list(self._told)}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a snapshot: what was told is not told again. Raises KeyError, TypeError or ValueError."""
        since, told = float(saved["since_utc"]), tuple(map(str, saved["faults"]))
        self.since_utc, self._told = since, told
