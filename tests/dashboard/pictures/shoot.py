"""Shows a scene in one language, and then in each theme and width: what a picture or a test looks at."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.dashboard.pictures.scenes import Scene
from tests.dashboard.pictures.stage import Stage
from tests.support.harness import Browser, until

SETTLED = """const drawn = () => new Promise((end) => requestAnimationFrame(() => requestAnimationFrame(end)));
const moving = () => Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {})));
const late = new Promise((end) => setTimeout(end, 1000));
return document.fonts.ready.then(drawn).then(() => Promise.race([moving(), late])).then(drawn).then(() => true)"""
"""fonts are there, what fades or moves has come to its end, and all is drawn"""
HEIGHT = """const inner = [...document.querySelectorAll('.page, .rows, .map-tools, .map-page, main')];
const hidden = [document.documentElement, ...inner].map((e) => e.scrollHeight - e.clientHeight);
return Math.ceil(innerHeight + Math.max(0, ...hidden))"""
CHOOSE = """const box = document.querySelector('#language'); box.value = arguments[0];
box.dispatchEvent(new Event('change'))"""
TALLEST = 6000


@dataclass(frozen=True)
class View:
    """How it is looked at."""

    name: str
    theme: str
    width: int
    height: int


VIEWS = (View("light", "light", 1280, 800), View("dark", "dark", 1280, 800), View("phone-light", "light", 360, 740),
         View("phone-dark", "dark", 360, 740))  # fmt: skip


_given: dict[str, str] = {}
"""the script that sets the language, by session of the browser"""


def speak(page: Browser, language: str) -> None:
    """Let every page that is opened from now on begin in a language, and with nothing else that it remembers."""
    session = str(page.driver.session_id)
    if session in _given:
        page.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": _given[session]})
    source = f"try {{ localStorage.clear(); localStorage.setItem('leakear.language', '{language}') }} catch {{}}"
    made = page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    _given[session] = made["identifier"]


def show(page: Browser, stage: Stage, scene: Scene, language: str) -> None:
    """Open it and wait until it has been drawn."""
    address = scene.at if "://" in scene.at else stage.town.url + scene.at
    choose(page, VIEWS[0])
    speak(page, language)
    page.open(address.replace("{language}", language))
    page.one(scene.ready)
    scene.prepare(page, stage)
    if scene.name.startswith("setup"):
        page.js(CHOOSE, language)
        until(lambda: page.js("return document.documentElement.lang") == language, "the language of the set-up")


def choose(page: Browser, view: View, height: int = 0) -> None:
    """Set its theme and size; nothing fades in, so that a toast that comes while it is looked at is not found faint."""
    wishes = {"prefers-color-scheme": view.theme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": view.width, "height": height or view.height, "deviceScaleFactor": 1, "mobile": view.width < 600}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def views(page: Browser, chosen: tuple[View, ...] = VIEWS, *, whole: bool = False) -> Iterator[View]:
    """Set one view after the other and yield it when the page has settled; `whole`: as high as what it shows."""
    for view in chosen:
        choose(page, view)
        page.js(SETTLED)
        if whole:
            choose(page, view, min(int(page.js(HEIGHT)), TALLEST))
            page.js(SETTLED)
        yield view
