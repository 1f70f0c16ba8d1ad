"""The queue between workers and dashboard: an interrupted dashboard raises nothing twice and forgets nothing."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from leakear.dashboard.history import History, event_row
from leakear.dashboard.history.ingest import store
from leakear.dashboard.history.tables import open_database
from leakear.dashboard.ingest.arrivals import event_of, put, raise_once, removal, waiting
from leakear.dashboard.ingest.tables import arrivals
from tests.dashboard.test_history import NOW, event


def test_what_was_raised_before_the_end_is_not_raised_again(postgres: Any) -> None:
    engine = open_database(postgres.new_database())
    raised: list[int] = []
    store(engine, [event_row(event(n), NOW) for n in (2, 1)], put)
    for n in range(3):  # the dashboard ends before it takes the events from the queue, twice
        if n == 1:
            store(engine, [event_row(event(3), NOW)], put)
        rows, places = waiting(engine)
        raise_once(engine, rows, places, lambda _, new: raised.extend(row["seq"] for row in new))
        assert [row["seq"] for row in rows] == [1, 2, 3][: 2 + (n > 0)]
    assert raised == [1, 2, 3]
    History(engine).save_nodes([], NOW, removal(places))
    assert waiting(engine) == ([], [])
    engine.dispose()


def test_a_failure_while_raising_leaves_the_events_in_the_queue(postgres: Any) -> None:
    engine = open_database(postgres.new_database())
    store(engine, [event_row(event(1), NOW)], put)

    def fail(*_: object) -> None:
        raise RuntimeError

    rows, places = waiting(engine)
    with pytest.raises(RuntimeError):
        raise_once(engine, rows, places, fail)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).where(~arrivals.c.raised)) == 1
    engine.dispose()


def test_a_stored_event_is_the_message_that_it_was(postgres: Any) -> None:
    engine = open_database(postgres.new_database())
    sent = replace(event(7, faults=("clipping",), on_fraction=0.5), decided_on=None)
    store(engine, [event_row(sent, NOW)], put)
    assert event_of(waiting(engine)[0][0]) == sent
    engine.dispose()
