"""Reasons of WARNING and LEAK, for people: what was heard, and how sure it is. Pure."""

from datetime import date

from leakear.edge.background.background import Excess
from leakear.edge.decision.nights import Nights
from leakear.edge.decision.observation import DecidedOn, Need, State


def alert_reason(reason: str, target: State, decided_on: DecidedOn, nights: Nights, span_s: float) -> str:
    """Complete the reason of a WARNING or LEAK: since when, how sure, and what the sound is unlike.

    `reason`: what `Hours` or `Nights` says; `span_s`: seconds that `decided_on.on_share` looks back on.
    """
    parts = [reason]
    risen = [night for night in nights.last if night.risen]
    if decided_on.by == "nights" and risen:
        parts.append(f"since the night of {date.fromordinal(risen[0].day).isoformat()}")
        parts.append(f"mean P(leak) {risen[-1].score:.2f}")
        return "; ".join(parts)
    if target is State.LEAK:
        parts.append(f"on {decided_on.on_share:.0%} of the last {span_s / 60:g} min")
    excess_db, limit_db = decided_on.excess_db, decided_on.limit_db or 0.0
    if excess_db is not None and excess_db >= limit_db and decided_on.nights_known:
        parts.append(f"unlike everything heard here in {decided_on.nights_known} nights")
    return "; ".join(parts)


def heard(need: Need, share: float, span_s: float) -> str:
    """Return the beginning of the reason of a WARNING; `need`: what the score of the last `span_s` seconds was."""
    minutes = span_s / 60
    if need is Need.LEAK:
        return f"sounds like a leak in {share:.0%} of the last {minutes:g} min"
    if need is Need.LIKE:
        return f"a loud new sound, possibly a leak, in {share:.0%} of the last {minutes:g} min"
    return f"a very loud new sound that does not sound like a leak in {share:.0%} of the last {minutes:g} min"


def where(excess: Excess | None, limit_db: float, over_accepted: Excess | None = None) -> str:
    """Return by how much a sound is above the background, as the end of a reason.

    `limit_db`: from which it counts. `over_accepted`: above what a person called no leak in the first days.
    """
    if excess is None:
        parts = ["", "the background of this place is not known yet"]
        if over_accepted is not None:
            db, hz = over_accepted.db, over_accepted.hz
            parts.insert(1, f"{db:.1f} dB over all that was called no leak, around {hz:.0f} Hz")
        return "; ".join(parts)
    above = f"{excess.db:.1f} dB over the background around {excess.hz:.0f} Hz"
    return f", {above} (limit of this node {limit_db:.1f} dB)"
