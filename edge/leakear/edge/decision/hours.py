"""Hours: a sound that scores as a leak, lasts, and is above everything this node has heard at its place.

The network detects the sound of flow in one window; a running tap has the same sound. So WARNING needs it for most of
a span longer than the usual use of water, and above the background of this node by more than its own past ever showed;
LEAK needs it to continue for `confirm_s` more, and for longer than any such sound that ended here. How far the sound
stands above the background says what its score must be (`limits`). Only quiet ends them. Windows
without a valid score are not counted, and an excess that may be weather is unknown: neither leak nor quiet.
Pure: no clock, no I/O.
"""

from collections.abc import Mapping
from typing import Any

from leakear.edge.background.background import Excess
from leakear.edge.decision.limits import HOLD, Limits
from leakear.edge.decision.observation import UNLIKE, Need, Observation, State
from leakear.edge.decision.rule import DecisionRule
from leakear.edge.decision.stretches import Stretches
from leakear.edge.decision.window_log import LoggedWindow, SpanSummary, WindowLog
from leakear.edge.decision.wording import heard, where


class Hours:
    """What the last hour says of the pipe."""

    def __init__(self, rule: DecisionRule) -> None:
        self.rule = rule
        self.state = State.OK
        """OK, WARNING or LEAK"""
        self.reason = ""
        """why it changed last"""
        self.limits = Limits()
        """from which excess on a sound counts here"""
        self._log = WindowLog()
        self._stretches = Stretches()
        self._since = 0.0  # when `state` began
        self._counted_s: float | None = None  # end of the last window that counted
        self._accepted = False  # a person has stated "no leak" before the background was known
        self._paused = False  # the node slept since the last window

    @property
    def accepted(self) -> bool:
        """Whether a person has stated "no leak" before the background was known: then the score alone says little."""
        return self._accepted and not self.rule.fast_s

    @property
    def limit_db(self) -> float:
        """The excess from which a sound that scores as a leak counts, dB: learnt from the past of this node."""
        return self.limits.db(Need.LEAK, self.rule)

    @property
    def on_share(self) -> float:
        """Share of on windows among those that count of the last span, 0 to 1."""
        return self._log.scores(self.rule.span_s).share

    @property
    def counted_share(self) -> float | None:
        """Share of the sound of the last `noisy_s` that counts, 0 to 1; None when too little is known."""
        return self._log.counted_share(self.rule.noisy_s)

    @property
    def still_on(self) -> bool:
        """Whether more than `clear_fraction` of the last `clear_s` seconds was on."""
        lately = self._scores(self.rule.clear_s)
        return lately.share * lately.covered > self.rule.clear_fraction

    def update(self, seen: Observation) -> bool:
        """Take one window; return whether the state changed."""
        if self._paused:
            self._resume(seen)
        gap_s = 0.0 if self._counted_s is None else seen.time_s - self._counted_s
        self._accepted = self._accepted and seen.excess is None and self.rule.rise_db > 0
        self.limits.update(seen, self.rule, suspected=self.state is not State.OK)
        self._record(seen)
        if not seen.usable:
            return False
        self._learn(seen)
        self._note_stretch(seen)
        before = self.state
        self._next(seen, gap_s)
        return self.state is not before

    def end_day(self) -> None:
        """Learn from a day: called once, when its night is over."""
        self.limits.end_day(leak=self.state is State.LEAK)
        self._stretches.end_day()

    def pause(self, *, noisy: bool) -> None:
        """Expect a sleep until the next listening hours: neither quiet nor a fault, and its time does not count.

        A WARNING or LEAK goes on afterwards; a suspicion that had not come that far begins anew, for two uses of water
        in two nights are no leak. `noisy`: too few of the last windows counted, which goes on, too.
        """
        self._paused = True
        self._stretches.pause()
        if self.state is State.OK and not noisy:
            self._log.forget_all()

    def _resume(self, seen: Observation) -> None:
        """Join the first window after a sleep to the last one before it. A WARNING is confirmed by new sound alone."""
        self._paused, self._since = False, seen.time_s
        newest_s = self._log.newest_s
        last_s = self._counted_s if newest_s is None else newest_s
        if last_s is not None and self._counted_s is not None:
            asleep_s = max(0.0, seen.time_s - seen.step_s - last_s)
            self._log.move(asleep_s)
            self._counted_s += asleep_s

    def _record(self, seen: Observation) -> None:
        """Write a window into the log."""
        rule = self.rule
        on = like = sure = False
        if seen.usable:
            assert seen.score is not None
            level = 0.0 if seen.dbmin is None else seen.dbmin
            on = seen.score >= rule.threshold and level >= rule.level_gate_dbfs
            like = on or (seen.score >= UNLIKE and level >= rule.level_gate_dbfs)
            sure = seen.score >= rule.fast_score and level >= rule.fast_level_dbfs
        above = self._above(seen.excess)
        hidden = above is None and seen.excess is not None and self.state is not State.OK  # rain may hide a leak
        whatever = like or not seen.low_confidence or seen.only_clips
        enough = {Need.LEAK: on, Need.LIKE: like, Need.ANY: whatever}[self.limits.need]
        counts = seen.usable and (on or enough or not (seen.low_confidence or hidden))
        window = LoggedWindow(
            time_s=seen.time_s,
            step_s=seen.step_s,
            on=on if counts else None,
            like=like if counts else None,
            sure=sure,
            lost=seen.score is None and seen.fault is None,
            above=above if counts else None,
        )
        longest = max(rule.span_s, rule.confirm_s, rule.rise_s, rule.clear_s, rule.noisy_s, rule.fast_s)
        self._log.add(window, longest)
        if counts:
            self._counted_s = seen.time_s

    def _scores(self, span_s: float) -> SpanSummary:
        """Summarise the scores of the last `span_s` seconds, by what the present sound must reach."""
        return self._log.scores(span_s, self.limits.need)

    def _above(self, excess: Excess | None) -> bool | None:
        """Tell whether an excess counts, during a suspicion from a slightly smaller one on; None: not known."""
        if excess is None or not self.rule.rise_db:
            return None
        above = excess.db >= self.limit_db * (HOLD if self.state is not State.OK else 1.0)
        return None if above and excess.weather else above

    def _next(self, seen: Observation, gap_s: float) -> None:
        """Move between OK, WARNING and LEAK. `gap_s`: seconds since the last window that counted."""
        rule = self.rule
        if self.state is State.WARNING and gap_s > rule.span_s + seen.step_s:  # the sound may have ended meanwhile
            self._move(State.OK, seen, f"nothing could be judged for {gap_s / 60:.0f} min")
        elif self.state is not State.LEAK and rule.fast_s and self._log.sure_for(rule.fast_s):
            self._move(State.LEAK, seen, f"very loud and very sure for {rule.fast_s:g} s")
        elif self.state is State.OK:
            self._suspect(seen)
        elif not seen.low_confidence and self._quiet(seen):
            self._move(State.OK, seen, f"quiet for {rule.clear_s / 60:g} min")
        elif self.state is State.WARNING:
            self._confirm(seen)

    def _suspect(self, seen: Observation) -> None:
        """Move from OK to WARNING."""
        rule = self.rule
        if self._accepted and not self.limits.another_sound(seen, rule):  # its score has been called wrong
            return
        need = self.limits.need
        if self._sounds_like_leak(rule.span_s, seen, need) and self._stands_above(rule.rise_s, seen) is not False:
            shares = {n: self._log.scores(rule.span_s, n).share for n in Need}
            least = next(n for n in Need if n == need or shares[n] >= rule.on_fraction)
            reason = heard(least, shares[least] if least is not Need.ANY else 1 - shares[Need.LEAK], rule.span_s)
            self._move(State.WARNING, seen, reason + self._where(seen))

    def _confirm(self, seen: Observation) -> None:
        """Move from WARNING to LEAK, or back to OK."""
        rule = self.rule
        share = self._scores(rule.span_s).share
        if not seen.low_confidence and share < rule.release_fraction:
            self._move(State.OK, seen, f"on only {share:.0%} of the last {rule.span_s / 60:g} min")
            return
        if not rule.quiet_hour(seen.utc) or seen.time_s - self._since + 1e-6 < rule.confirm_s:
            return
        above = self._stands_above(rule.rise_s, seen)
        strong = above is None or (above and seen.excess is not None and seen.excess.db >= rule.strong_db)
        known = above is not False
        if rule.leak_needs_background and rule.rise_db:
            kind = Need.LEAK if self._sounds_like_leak(rule.confirm_s, seen, Need.LEAK) else Need.LIKE
            longer = self._stretches[kind].lasted_s(seen.time_s) > self._stretches[kind].longest_s
            known = above is True and self.limits.nights_known >= rule.strong_nights and longer
        if known and strong and self._sounds_like_leak(rule.confirm_s, seen, self._leak_like):
            text = f"went on for {(seen.time_s - self._since) / 60:.0f} min after WARNING"
            self._move(State.LEAK, seen, text + self._where(seen))

    @property
    def _leak_like(self) -> Need:
        """What the score must be for a sound to be called a leak: whatever its level, not unlike one."""
        return min(self.limits.need, Need.LIKE)

    def _sounds_like_leak(self, span_s: float, seen: Observation, need: Need) -> bool:
        """Tell whether most of a span was on, by such a score, from its beginning to its end."""
        span_s = max(span_s, seen.step_s)
        span = self._log.scores(span_s, need)
        lasted = span.extent_s >= self.rule.on_fraction * span_s - 2 * seen.step_s
        return lasted and self._continuous(span, seen)

    def _stands_above(self, span_s: float, seen: Observation) -> bool | None:
        """Tell whether most of a span was above the own limit of this node; None: the background is not known."""
        if seen.excess is None or not self.rule.rise_db:
            return None
        span = self._log.excesses(max(span_s, seen.step_s))
        return self._above(seen.excess) is True and self._continuous(span, seen)

    def _continuous(self, span: SpanSummary, seen: Observation) -> bool:
        """Tell whether most of a span was on. With low-confidence quiet only on windows count: they must fill it."""
        enough = self.rule.on_fraction if seen.low_confidence else self.rule.coverage
        return span.covered >= enough and span.share >= self.rule.on_fraction

    def _where(self, seen: Observation) -> str:
        return where(seen.excess, self.limit_db, seen.over_accepted) if self.rule.rise_db else ""

    def _quiet(self, seen: Observation) -> bool:
        """Tell whether the scores of the last `clear_s` seconds indicate no leak, and the excesses neither."""
        rule = self.rule
        if (rule.clear_s > rule.span_s or rule.fast_s) and seen.time_s - self._since + 1e-6 < rule.clear_s:
            return False  # what was quiet before it began does not end it, or it would come again at once
        scores, excesses = self._scores(rule.clear_s), self._log.excesses(rule.clear_s)
        if scores.covered < rule.coverage or scores.share > rule.clear_fraction or self.limits.stands_unheard(seen):
            return False
        if seen.excess is None or not rule.rise_db:
            return True
        return excesses.covered >= rule.coverage and excesses.share <= rule.clear_fraction

    def _learn(self, seen: Observation) -> None:
        """Keep the largest excess of this day that stood, for each kind of score: the limits are learnt from it."""
        if self.state is State.LEAK:
            return
        for need in Need:
            if self.limits.teaches(seen, need) and self._sounds_like_leak(self.rule.span_s, seen, need):
                self.limits.learn(seen, need, self.rule.span_s)

    def _note_stretch(self, seen: Observation) -> None:
        """Follow for how long the score alone says leak: how loud it is does not matter."""
        heard = {need: self._sounds_like_leak(self.rule.span_s, seen, need) for need in {Need.LEAK, self._leak_like}}
        for kind in Stretches.KINDS:
            need = min(kind, self._leak_like)
            if heard[need]:
                self._stretches[kind].hear(seen.time_s, self.rule.span_s)
            elif (
                not seen.low_confidence and self._log.scores(self.rule.span_s, need).share < self.rule.release_fraction
            ):
                self._stretches[kind].end()

    def _move(self, target: State, seen: Observation, reason: str) -> None:
        if target is State.LEAK:
            self.limits.leak()
        self.state, self._since, self.reason = target, seen.time_s, reason

    def forget(self) -> None:
        """Ignore every excess so far: the background is learned again."""
        self.limits.forget()
        self._stretches = Stretches()
        self._log.forget_excesses()

    def accept(self) -> None:
        """Learn that what was heard is no leak: a person has stated it."""
        self.limits.accept()
        self._stretches.end()
        self.state, self._accepted = State.OK, True
        self.reason = "a person has stated that there is no leak"
        self._log.forget_all()

    def snapshot(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON values. Times are ages in seconds."""
        now = self._since if self._log.newest_s is None else self._log.newest_s
        return {
            "limits": self.limits.snapshot(now),  # what changes seldom comes first: see `outbox.seal`
            "heard": self.state.value,
            "age_s": round(now - self._since, 1),
            "marks": self._log.snapshot(now),
            "stretches": self._stretches.snapshot(now),
            "counted_age_s": None if self._counted_s is None else round(now - self._counted_s, 1),
            "accepted": self._accepted,
            "paused": self._paused,
        }

    def restore(self, saved: Mapping[str, Any], then: float) -> None:
        """Continue from a snapshot taken at the monotonic time `then`. Raises KeyError, TypeError or ValueError."""
        state, log = State(saved["heard"]), WindowLog.restored(saved["marks"], then)
        since = then - float(saved["age_s"])
        limits = Limits.restored(saved["limits"], then) if "limits" in saved else Limits()
        stretches = Stretches.restored(saved["stretches"], then) if "stretches" in saved else Stretches()
        counted_s = log.newest_counted_s
        if counted_s is None and saved.get("counted_age_s") is not None:
            counted_s = then - float(saved["counted_age_s"])
        if state is State.WARNING and counted_s is None:
            state = State.OK  # version 0.1: the time since the last window that counted is unknown
        self.state, self._since, self._log, self._counted_s = state, since, log, counted_s
        self.limits, self._stretches = limits, stretches
        self._accepted, self._paused = bool(saved.get("accepted", False)), bool(saved.get("paused", False))
