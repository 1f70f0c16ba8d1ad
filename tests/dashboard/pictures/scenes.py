"""Every page, and how it comes to show what it is for."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from leakear.dashboard.pages.app import PAGES
from tests.dashboard.pictures.stage import Stage
from tests.dashboard.pictures.town import DEAF, DRIFTS, LEARNS, SILENT, STAR, WARNS
from tests.support.harness import Browser, until

Prepare = Callable[[Browser, Stage], None]
LANGUAGES = ("en", "pt-BR")


def nothing(_page: Browser, _stage: Stage) -> None:
    """Leave the page as it opens."""


@dataclass(frozen=True)
class Scene:
    """One page, or one state of it."""

    name: str
    at: str
    """path at the town's dashboard, or a whole address; {language} is filled in"""
    ready: str = "main h1"
    """what is there when it has been drawn"""
    prepare: Prepare = nothing
    route: str = ""
    """which of the dashboard's addresses it is of; empty: `at` itself"""


def node(name: str, key: tuple[str, str], prepare: Prepare = nothing) -> Scene:
    return Scene(f"node-{name}", "/node/{}/{}".format(*key), ".facts dd", prepare, "/node/{site}/{node}")


def leaking(page: Browser, stage: Stage) -> None:
    page.one(".now .entry")
    page.one(".nights[data-nights]")
    if not page.all(".now .listen, .now .player"):
        page.click(".entry .fetch, .entry .listen")
    page.click("button.watch")
    until(lambda: any(name == "watch" for name, _ in stage.star.commands), "the question for spectra")
    stage.sing()
    page.one(".waterfall[data-count]:not([data-count='0'])")


def tested(page: Browser, _stage: Stage) -> None:
    page.click('.commands [data-command="selftest"]')
    page.one('[data-answer="selftest"]')


def judging(page: Browser, _stage: Stage) -> None:
    page.click('[data-filter="all"]')
    page.one(".entry .judge")
    page.click(".entry .judge")
    page.one("form.verdict")


def clicked(*chosen: str) -> Prepare:
    def prepare(page: Browser, _stage: Stage) -> None:
        for css in chosen:
            page.one(css)
            page.click(css)

    return prepare


def drawn_map(page: Browser, _stage: Stage) -> None:
    page.one("main[data-drawn][data-unheard]")
    page.one(".at-node, .cluster")


def opened_mark(page: Browser, stage: Stage) -> None:
    drawn_map(page, stage)
    page.one(".at-leak")
    page.js("document.querySelector('.at-leak').click()")
    page.one(".map-popup")


def set_up(page: Browser, stage: Stage) -> None:
    address, code = stage.set_up()
    page.open(address)
    page.one("#door input").send_keys(code)
    page.click("#door button")
    page.one("#form:not([hidden])")
    for key, value in (("site", "porto"), ("name", "meter-07"), ("broker", "mqtts://broker.saneamento.example")):
        page.js("document.querySelector(`[name=${arguments[0]}]`).value = arguments[1]", key, value)
    until(lambda: "dBFS" in page.one("#level").text, "a level")


def scenes(stage: Stage) -> Iterator[Scene]:
    """Yield them all; who looks at them is logged in."""
    pages, report = stage.pages, "format=html&language={language}"
    month = time.strftime("%Y-%m", time.gmtime())
    yield Scene("fleet", "/", f'.node[data-node="{SILENT[1]}"][data-site="{SILENT[0]}"][data-gone="true"]')
    yield Scene("fleet-by-site", "/", ".node", clicked(".toolbar > button"))
    yield node("leak", STAR, leaking)
    yield node("self-test", STAR, tested)
    yield node("warning", WARNS)
    yield node("deaf", DEAF)
    yield node("drifts", DRIFTS)
    yield node("silent", SILENT)
    yield node("learns", LEARNS)
    yield node("well", ("centro", "meter-04"))
    yield Scene("node-unknown", "/node/centro/meter-99", "main h1", route="/node/{site}/{node}")
    yield Scene("alerts", "/alerts", ".entry")
    yield Scene("alerts-all", "/alerts", ".entry", judging)
    yield Scene("cases", "/cases", ".case")
    yield Scene("cases-all", "/cases", ".case", clicked('[data-filter="all"]', '.case[data-status="verified"]'))
    for status in ("open", "assigned", "visited", "verified", "closed"):
        steps = clicked('[data-step="visit"]') if status == "assigned" else nothing
        yield Scene(f"case-{status}", pages[f"case-{status}"], ".history li", steps, "/cases/{id}")
    yield Scene("map", "/map", "main h1, main", drawn_map)
    yield Scene("map-leak", "/map", "main", opened_mark)
    yield Scene("pipes", "/pipes", ".entry.pipe")
    yield Scene("pipes-form", "/pipes", ".entry.pipe", clicked("button.add"))
    yield Scene("pipe", pages["pipe"], '.plot[data-plot="intervals"] svg', route="/pipes/{id}")
    yield Scene("quiet", "/quiet", "[data-quiet]")
    yield Scene("reports", "/reports", "[data-problem]")
    yield Scene("deploy", "/deploy", "fieldset")
    yield Scene("settings", "/settings", "tbody tr")
    yield Scene("help", "/help", ".term")
    yield Scene("report-month", f"/api/reports/month?month={month}&{report}", "h1")
    yield Scene("report-case", f"/api/reports{pages['case-verified'].replace('cases', 'case')}?{report}", "h1")
    yield Scene("report-health", f"/api/reports/health?{report}", "h1")
    yield Scene("setup-door", stage.setup, "#door input")
    yield Scene("setup", stage.setup, "#door input", set_up)


def empty(stage: Stage) -> Iterator[Scene]:
    """Yield the pages of a dashboard on its first day."""
    for path in ("/", "/alerts", "/cases", "/map", "/pipes", "/quiet", "/reports", "/deploy", "/settings"):
        yield Scene(f"empty-{path[1:] or 'fleet'}", stage.empty.url + path, "main h1, main .fleet, main")


def strangers(stage: Stage) -> Iterator[Scene]:
    """Yield what is seen before one is let in."""
    yield Scene("login", stage.town.url + "/login", "form.login")


def trouble(stage: Stage) -> Iterator[Scene]:
    """Yield what is seen while the broker cannot be reached."""
    for name, path in (("fleet", "/"), ("alerts", "/alerts"), ("node", "/node/{}/{}".format(*STAR)), ("map", "/map")):
        yield Scene(f"broker-{name}", stage.town.url + path, '.line[data-state="broker"]')


def routes_shown(shown: list[Scene]) -> set[str]:
    """Return the dashboard's addresses that these scenes are of."""
    return {
        scene.route or "/" + scene.at.partition("://")[2].partition("/")[2]
        if "://" in scene.at
        else scene.route or scene.at
        for scene in shown
    }


ROUTES = {path for path in PAGES if path == "/" or not path.endswith("/")}
"""every address of the dashboard that shows a page"""
