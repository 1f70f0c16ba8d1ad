"""Every page, filled as in a utility's day and empty as on the first: light, dark, on a phone, in both languages.

Nothing is cut off, spills, overlaps, is scrolled sideways, is faint (WCAG AA), in the wrong language or a raw key.
"""

from collections.abc import Iterable, Iterator

import pytest

from tests.dashboard.pictures.flaws import flaws, words
from tests.dashboard.pictures.scenes import LANGUAGES, ROUTES, Scene, empty, routes_shown, scenes, strangers, trouble
from tests.dashboard.pictures.shoot import VIEWS, show, views
from tests.dashboard.pictures.stage import Stage
from tests.support.harness import Browser

LOOKED_AT = VIEWS[:3]
"""light, dark, phone: the fourth, a phone in the dark, has the colours of the second and the widths of the third"""
WRONG = {
    "sideways": "<div style='width:2000px'>largo</div>",
    "cut": "<div style='width:50px;white-space:nowrap;overflow:hidden'>isto aqui fica cortado ao meio</div>",
    "faint": "<p style='color:#aaa;background:#fff'>quase invisível</p>",
    "overlap": "<p style='margin:0'>uma linha qualquer</p><p style='margin:-15px 0 0'>outra linha qualquer</p>",
    "spills": "<div style='width:60px;border:1px solid'><span>comprimentolongo</span></div>",
    "raw": "<p>começou: floor_drift</p>",
    "English": "<p>The node is silent.</p>",
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as found:
        yield found


@pytest.fixture(scope="module")
def page(stage: Stage) -> Iterator[Browser]:
    """A browser of its own: its language, theme and width stay its own."""
    found = Browser(1280, 800)
    yield found
    found.quit()


@pytest.fixture(scope="module")
def inside(page: Browser, stage: Stage) -> Browser:
    """The browser, logged in; what a stranger sees is looked at before."""
    stage.log_in(page)
    return page


def looked_at(page: Browser, stage: Stage, shown: Iterable[Scene], language: str) -> list[str]:
    found = []
    for scene in shown:
        show(page, stage, scene, language)
        for view in views(page, LOOKED_AT):
            found += [f"{scene.name} {language} {view.name}: {line}" for line in flaws(page, language, view.width)]
    return found


def none(found: Iterable[str]) -> None:
    """Fail with all of them."""
    lines = list(found)
    assert not lines, "\n".join(["flaws:", *lines])


@pytest.mark.parametrize("kind", [*WRONG, ""])
def test_each_kind_of_flaw_is_seen_and_nothing_else(page: Browser, kind: str) -> None:
    page.open("about:blank")
    head = "<style>body { font: 16px/1.4 sans-serif; background: #fff; color: #000 }</style>"
    for _ in views(page, VIEWS[:1]):
        page.js("document.documentElement.innerHTML = arguments[0]", head + WRONG.get(kind, "<p>Nó meter-03</p>"))
        assert {line.partition(":")[0] for line in flaws(page, "pt-BR", VIEWS[0].width)} == ({kind} if kind else set())


def test_what_is_english_and_what_is_a_key() -> None:
    told = [["p", text] for text in ("Acknowledge", "Reconhecer", "OK", "on 92% of the last 30 min", "{who} visita")]
    assert [line.partition(" in ")[0] for line in words(told, "pt-BR")] == [
        "English: Acknowledge", "English: on 92% of the last 30 min", "raw: {who} visita",
    ]  # fmt: skip
    assert len(list(words(told, "en"))) == 1


def test_every_address_of_the_dashboard_has_a_scene(stage: Stage) -> None:
    assert routes_shown([*scenes(stage), *strangers(stage)]) >= ROUTES


@pytest.mark.timeout(900)
def test_before_the_log_in(page: Browser, stage: Stage) -> None:
    none(line for language in LANGUAGES for line in looked_at(page, stage, strangers(stage), language))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page(inside: Browser, stage: Stage, language: str) -> None:
    none(looked_at(inside, stage, scenes(stage), language))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_of_the_first_day(page: Browser, stage: Stage, language: str) -> None:
    none(looked_at(page, stage, empty(stage), language))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("language", LANGUAGES)
def test_while_the_broker_cannot_be_reached(inside: Browser, stage: Stage, language: str) -> None:
    stage.cut()
    none(looked_at(inside, stage, trouble(stage), language))
