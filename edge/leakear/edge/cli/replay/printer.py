"""Shows what a replay hears: JSON lines, or text for people."""

import json
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path

from leakear.edge.cli.replay.outcome import Heard, sentence, window_line
from leakear.edge.decision.observation import State, Transition, worse
from leakear.edge.messages.reports import Event
from leakear.edge.node.detector import SENTENCES, Detector
from leakear.edge.pipeline import Result
from leakear.edge.texts import printable


class Printer:
    """Shows results as they come: JSON lines, or text for people."""

    def __init__(self, as_json: bool, repeat: int = 1) -> None:
        self._json, self._repeat = as_json, repeat
        self.file: Path | None = None
        self._scores: dict[Path | None, list[float]] = {}
        self._unscored: set[str] = set()  # names of the faults of windows without a score
        self._alert: tuple[float, Transition] | None = None  # end (s since 1970) and transition of the newest
        self._worst = State.OK
        self._end_utc = 0.0

    def show(self, result: Result, event: Event | None) -> None:
        """Print one result."""
        self._note(result)
        if self._json:
            print(json.dumps(window_line(result, self.file)))
            if event:
                print(json.dumps({"type": "event", **json.loads(event.to_json())}), flush=True)
        elif event:
            print(f"{event.window_end}  {event.from_state} → {event.to_state}  {event.reason}", flush=True)

    def _note(self, result: Result) -> None:
        """Keep what the summary says."""
        self._end_utc, change = result.end_utc, result.transition
        if result.score is not None:
            self._scores.setdefault(self.file, []).append(result.score)
        elif result.health is not None:
            self._unscored.update(result.health.faults)
        if change is not None and change.decided_on is not None:
            self._alert, self._worst = (result.end_utc, change), worse(self._worst, change.target)

    def summary(self, detector: Detector, *, recordings: int, refused: Collection[Path]) -> None:
        """Print what was heard in each recording; the last line says what it means.

        `recordings`: how many were named. `refused`: those that could not be used, or only in part.
        """
        heard = replace(self._heard(detector), recordings=recordings, refused=len(refused))
        if self._json:
            learnt = asdict(heard.learning)
            print(
                json.dumps(
                    {
                        "type": "summary",
                        "state": heard.state if heard.windows else None,
                        "sentence": sentence(heard),
                        "learning": learnt,
                    }
                )
            )
            return
        threshold = heard.rule.threshold
        for path, scores in self._scores.items():
            on = sum(score >= threshold for score in scores)
            mean = sum(scores) / len(scores)
            print(
                f"{printable(path or 'simulated day')}: {len(scores)} windows, {on} sound like a leak "
                f"(P(leak) {threshold:.2f} or more), mean P(leak) {mean:.2f}"
                f"{' (only a part of it was heard)' if path in refused else ''}"
            )
        pipeline = detector.pipeline
        if heard.windows or not heard.refused:
            print(
                f"{heard.windows} windows: {pipeline.scored} scored, {pipeline.discarded} discarded, "
                f"{pipeline.windower.dropped} dropped"
            )
        print(sentence(heard))

    def _heard(self, detector: Detector) -> Heard:
        pipeline, rule = detector.pipeline, detector.pipeline.decision.rule
        scores = [score for scores in self._scores.values() for score in scores]
        unscored = {name: SENTENCES.get(name, name) for name in sorted(self._unscored)}
        began, alert = self._alert or (self._end_utc, None)
        return Heard(
            windows=pipeline.windower.produced,
            scored=len(scores),
            on=sum(score >= rule.threshold for score in scores),
            scored_s=len(scores) * pipeline.step_s,
            repeat=self._repeat,
            state=pipeline.decision.state,
            worst=self._worst,
            reason=alert.reason if alert else "",
            warned_s=self._end_utc - began,
            excess_db=alert.decided_on.excess_db if alert and alert.decided_on else None,
            faults=unscored | detector.faults,
            rule=rule,
            learning=detector.learning,
        )
