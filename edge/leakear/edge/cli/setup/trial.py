"""Tries what was answered, before and after it is written: the connection to the broker, and a test alert.

The test alert is an event of the kind `test`, from OK to OK, that says so in its reason: no receiver takes it for a
leak. Its `seq` is 0, because the node's outbox, which numbers events, is not the one that sends it (decision 155).
"""

import time
from dataclasses import replace

from leakear.edge.cli import probe
from leakear.edge.cli.setup import configuration
from leakear.edge.cli.setup.configuration import Plan
from leakear.edge.messages.reports import Event, utc_text, uuid7
from leakear.edge.model import bundle
from leakear.edge.model.tflite import FACTORY
from leakear.edge.node.checks import OK, Finding
from leakear.edge.node.detector import model_ref
from leakear.edge.settings import Settings

NOT_KEPT = "The test alert is not kept: run setup once more when the broker answers"
REASON = "TEST of leakear-edge setup: this is not a leak, nobody needs to go there."


def connection(plan: Plan) -> Finding:
    """Ask the broker as the node would after the writing."""
    with configuration.as_unit(plan):
        return probe.broker(plan.settings)


def test_alert(plan: Plan) -> Finding:
    """Send the test alert; tell whether the broker took it."""
    with configuration.as_unit(plan):
        payload = event(plan.settings, time.time()).to_json()
        found = probe.publish(plan.settings, "event", payload, unanswered=NOT_KEPT)
    if found.status == OK:
        said = f"the broker took a test alert of {plan.settings.node.identity.topic('event')}"
        return Finding("test alert", OK, said, "dashboards show it among the events, as a test")
    return replace(found, name="test alert")


def event(settings: Settings, utc: float) -> Event:
    """Return a test alert of this moment, s since 1970."""
    identity, now = settings.node.identity, utc_text(utc)
    return Event(
        id=uuid7(utc),
        seq=0,
        site=identity.site,
        node=identity.node,
        kind="test",
        from_state="OK",
        to_state="OK",
        reason=REASON,
        window_start=now,
        window_end=now,
        model=model_ref(bundle.read(FACTORY).info),
    )


def failed(finding: Finding) -> str:
    """Return what is wrong and what to do as one sentence; empty: nothing."""
    return "" if finding.status == OK else f"{finding.detail}: {finding.remedy}" if finding.remedy else finding.detail
