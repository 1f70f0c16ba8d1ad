"""The index of a large fleet: the same nodes in the same order as looking at each of them."""

import random
from typing import Any

import pytest

from leakear.dashboard.fleet import Fleet, Node, Round
from leakear.dashboard.views.groups import GROUPS, SHOWN, rank, shown
from leakear.dashboard.views.index import Index
from leakear.dashboard.views.view import MOST_ROWS, View, What, Word
from leakear.dashboard.views.windows import Windows

STATES = ("OK", "WARNING", "LEAK", "NOISY", "SENSOR_FAULT", "UNKNOWN")
PRESENCES = ("online", "stale", "offline", "asleep", "waiting")


def changed(node: Node, chance: random.Random) -> Node:
    node.state, node.presence = chance.choice(STATES), chance.choice(PRESENCES)
    node.judged = (node.state, 0.0) if chance.random() < 0.1 else None
    node.score = None if chance.random() < 0.1 else chance.random()
    node.level = None if chance.random() < 0.1 else chance.uniform(-90, -20)
    node.last_seen = chance.uniform(1e9, 2e9)
    return node


def name(node: Node) -> tuple[int, int]:
    return int(node.site.partition("-")[2]), int(node.name.partition("-")[2])


def expected(fleet: Fleet, what: What) -> list[Node]:
    """Search and sort as the page of a small fleet does."""
    keys: dict[str, Any] = {
        "urgency": lambda n: rank(shown(n)), "name": lambda _: 0, "seen": lambda n: n.last_seen,
        "score": lambda n: -(-1 if n.score is None else n.score),
        "level": lambda n: -(-999 if n.level is None else n.level),
    }  # fmt: skip
    found = [
        node for node in fleet
        if what.group in (None, GROUPS[rank(shown(node))])
        and all(word.text in f"{node.site} {node.name}" or shown(node) in word.names for word in what.words)
    ]  # fmt: skip
    found.sort(key=lambda node: (keys[what.sort](node), name(node)))
    if what.grouped:
        worst: dict[str, int] = {}
        for node in found:
            worst[node.site] = min(worst.get(node.site, 9), rank(shown(node)))
        found.sort(key=lambda node: (worst[node.site], name(node)[0]))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_it_finds_what_looking_at_each_node_finds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leakear.dashboard.views.index.PART", 1e9)  # the order of names anew at each question
    chance, fleet, index = random.Random(seed), Fleet(), Index()
    for turn in range(400):
        if chance.random() < 0.4 or not len(fleet):
            index.update(changed(fleet.add((f"zone-{chance.randrange(12)}", f"ear-{turn}"), 0.0), chance))
        elif chance.random() < 0.2:
            gone = fleet.forget(chance.choice([node.key for node in fleet]))
            assert gone is not None
            index.remove(gone)
        else:
            index.update(changed(chance.choice(list(fleet)), chance))
        words = [Word(""), Word("ear-1"), Word("zone-1"), Word("leak", ("LEAK",)), Word("x", ("stale", "OK"))]
        what = What(
            tuple(chance.sample(words, chance.randrange(3))), chance.choice([None, None, *GROUPS]),
            chance.choice(["urgency", "name", "score", "level", "seen"]), chance.random() < 0.5,
        )  # fmt: skip
        found = index.find(what)
        nodes = [index.node(row) for row in found.rows.tolist()]
        if what.sort in ("score", "level"):  # kept with seven digits
            assert sorted(map(str, nodes)) == sorted(map(str, expected(fleet, what)))
        else:
            assert nodes == expected(fleet, what)
        for site in found.sites or ():
            first = nodes[site.start]
            assert first is not None
            assert first.site == site.name
        assert sum(sum(site.counts) for site in found.sites or ()) == (len(nodes) if what.grouped else 0)
    counts = index.counts()
    assert counts == {group: sum(GROUPS[rank(shown(n))] == group for n in fleet) for group in GROUPS}
    assert len(index) == len(fleet)


@pytest.mark.parametrize("given", [
    None, [], {"words": [["a", ["NOBODY"]]]}, {"words": [["a" * 101, []]]}, {"words": [["a", []]] * 9}, {"group": "x"},
    {"sort": "; DROP"}, {"offset": -1}, {"offset": 1.5}, {"limit": "10"}, {"words": [[1, []]]}, {"words": ["a"]},
    {"words": [["a", [[]]]]}, {"group": []}, {"sort": {}}, {"offset": True, "limit": 1 << 40},
])  # fmt: skip
def test_a_view_that_no_page_of_ours_asks_for_is_none(given: Any) -> None:
    assert View.of(given) is None


def test_a_view_has_an_end() -> None:
    view = View.of({"limit": 10**6, "words": [["A", ["LEAK"]]]})
    assert view is not None
    assert (view.limit, view.what.words) == (MOST_ROWS, (Word("a", ("LEAK",)),))


class Page:
    view: View | None = View(What(), 0, 10)
    also: frozenset[tuple[str, str]] = frozenset()
    watching = None
    known: frozenset[int] = frozenset()
    sites = None

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}


def test_a_page_is_sent_what_it_shows_and_no_more() -> None:
    fleet = Fleet()
    windows = Windows(fleet, lambda node, _: node.head())
    for number in range(1000):
        windows.index.update(fleet.add(("s", f"n-{number}"), 0.0))
    page: Any = Page()
    part = windows.part(page, 0.0, {}, [])
    assert [head["node"] for head in part["heads"]] == [f"n-{n}" for n in range(10)]
    assert (part["part"]["found"], part["part"]["counts"]["gone"]) == (1000, 1000)
    everything = {node.index: node.live() for node in fleet}
    part = windows.part(page, 0.0, everything, [])
    assert sorted(part) == ["live"]
    assert sorted(values[0] for values in part["live"]) == list(range(10))
    page.also, page.view = frozenset({("s", "n-500"), ("s", "nobody")}), None
    part = windows.part(page, 0.0, {}, [])
    assert [head["node"] for head in part["heads"]] == ["n-500"]
    assert part["gone"] == list(range(10))
    assert windows.part(page, 0.0, {}, []) == {}


def test_a_round_takes_each_node_once_and_none_that_left() -> None:
    fleet = Fleet()
    nodes = [fleet.add(("s", str(number)), 0.0) for number in range(25)]
    turn = Round(fleet, 10)
    first = turn.part()
    fleet.forget(nodes[12].key)
    rest = turn.part() + turn.part()
    assert [node.name for node in first + rest] == [str(n) for n in range(25) if n != 12]
    assert len(turn.part()) == 10
    assert all(name in SHOWN for name in map(shown, nodes))
