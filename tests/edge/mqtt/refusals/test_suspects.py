"""Suspects: what was alone on its way when the connection was cut is held back, and nothing that was taken before."""

from leakear.edge.mqtt.refusals.suspects import EVENT_STRIKES, STRIKES, Suspect, Suspects

LARGE, STATE = Suspect("ha/config", "ha/config", 4000), Suspect("state", "state", 500)


def alert(seq: int, size: int = 800) -> Suspect:
    return Suspect(f"event#{seq}", "event", size, event=True)


def test_several_on_the_way_are_suspect_and_none_is_held() -> None:
    suspects = Suspects()
    assert suspects.cut([LARGE, STATE]) is None
    assert LARGE.key in suspects
    assert STATE.key in suspects
    suspects.acquit(STATE)
    assert STATE.key not in suspects


def test_one_alone_is_held_after_its_strikes_an_event_later() -> None:
    suspects = Suspects()
    assert [suspects.cut([LARGE]) for _ in range(STRIKES)] == [None] * (STRIKES - 1) + [LARGE.key]
    held = [suspects.cut([alert(7)]) for _ in range(EVENT_STRIKES)]
    assert held == [None] * (EVENT_STRIKES - 1) + ["event#7"]
    assert suspects.cut([LARGE]) == LARGE.key  # tried again later: known at once


def test_what_is_no_larger_than_one_taken_on_its_topic_is_innocent() -> None:
    suspects = Suspects()
    suspects.acquit(alert(1, 800))
    for _ in range(9):
        assert suspects.cut([alert(2, 800)]) is None
    assert alert(2).key not in suspects
    for _ in range(EVENT_STRIKES - 1):
        suspects.cut([alert(3, 900)])
    assert suspects.cut([alert(3, 900)]) == "event#3"
    suspects.acquit(alert(4, 1000))
    assert alert(3).key not in suspects


def test_an_idle_connection_that_ends_blames_nobody() -> None:
    assert Suspects().cut([]) is None
