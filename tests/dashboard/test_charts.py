"""Time charts in a real Chromium: what is drawn, the cursor, zoom, pan, keys."""

from typing import Any

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from leakear.dashboard.i18n import texts
from tests.support.harness import Browser, Dashboard, FakeNode, path_of, until

EN = texts("en")
LEVELS = ".chart[aria-label='Level and noise floor over time']"
BROKEN = """const { broken } = await import('/static/charts/columns.js');
const given = { t: [0, 10, 20, 100, 200, 210], a: [1, 2, 3, 4, null, 5], b: [1, null, 3, null, 5, null] };
return broken(given, ['a', 'b'], 30)"""


DRAWN = """const { spark } = await import('/static/charts/canvas.js');
const canvas = document.createElement('canvas');
const values = Array.from({ length: 60 }, (_, i) => (i % arguments[0] === 0 ? 0.5 : null));
spark(canvas, [123, 20], values, [0, 1], '#000');
const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
let columns = 0;
const rows = [...Array(height).keys()];
for (let x = 0; x < width; x++) columns += rows.some((y) => data[4 * (y * width + x) + 3] > 60) ? 1 : 0;
return columns / width"""


def shown(page: Browser) -> tuple[float, float]:
    chart = page.one(f"{LEVELS}[data-from]")
    return float(chart.get_attribute("data-from") or 0), float(chart.get_attribute("data-to") or 0)


def length(page: Browser) -> float:
    return shown(page)[1] - shown(page)[0]


def test_lines_are_broken_where_a_gap_is_longer_than_allowed_and_nowhere_else(page: Browser) -> None:
    found = page.js(f"return (async () => {{ {BROKEN} }})()")
    assert found["t"] == [0, 10, 20, 60, 100, 150, 200, 210]
    assert found["columns"][0] == [1, 2, 3, None, 4, None, None, 5]
    assert found["alone"] == [[4, 7], [6]], "rows that a line alone would not show"
    one_line = page.js(f"return (async () => {{ {BROKEN.replace(', 30)', ', 300)')} }})()")
    assert one_line["alone"] == [[], []]


def test_a_sparkline_is_a_line_for_a_node_that_reports_once_a_minute(page: Browser) -> None:
    drawn = f"const given = arguments; return (async () => {{ {DRAWN.replace('arguments[0]', 'given[0]')} }})()"
    assert page.js(drawn, 6) > 0.85, "a value in each sixth slot of ten seconds"
    assert page.js(drawn, 1) > 0.9
    assert page.js(drawn, 20) < 0.2, "three minutes without a word: the dots stay alone"


def test_a_chart_has_a_cursor_is_zoomed_and_moved_and_shows_all_again(
    page: Browser, dashboard: Dashboard, mqtt: Any
) -> None:
    with FakeNode(mqtt.port, "chart-1") as node:
        for level in (-60.0, -55.0, -50.0):
            node.report(score=0.4, level=level)
        page.open(dashboard.url + path_of(node))
        page.one(f"{LEVELS} canvas")
        page.one(f"{LEVELS}[data-points]:not([data-points='0'])")
        assert abs(length(page) - 3600) < 1
        over = page.one(f"{LEVELS} .u-over")
        page.js("arguments[0].scrollIntoView({block: 'center'})", over)
        hand = ActionChains(page.driver, duration=10)
        hand.move_to_element_with_offset(over, -200, 0).click_and_hold().move_by_offset(300, 0).release().perform()
        until(lambda: length(page) < 2400, "the dragged part")
        page.one(f"{LEVELS} .whole:not([hidden])")
        before = shown(page)
        hand.key_down(Keys.SHIFT).move_to_element(over).click_and_hold().move_by_offset(80, 0).release()
        hand.key_up(Keys.SHIFT).perform()
        until(lambda: shown(page)[0] < before[0], "an earlier part")
        assert abs(length(page) - (before[1] - before[0])) < 1
        page.click(f"{LEVELS} .whole")
        until(lambda: abs(length(page) - 3600) < 1, "the whole span")


def test_a_chart_obeys_the_keyboard_and_keeps_its_zoom_while_news_come(
    page: Browser, dashboard: Dashboard, mqtt: Any
) -> None:
    with FakeNode(mqtt.port, "chart-2") as node:
        node.report(score=0.4, level=-60.0)
        page.open(dashboard.url + path_of(node))
        chart = page.one(f"{LEVELS}[data-points]:not([data-points='0'])")
        assert EN["chart.keys"] == chart.get_attribute("aria-description")
        chart.send_keys(Keys.ARROW_LEFT)
        page.text(f"{LEVELS} .tip", f"{EN['level']} -60.0 dBFS")
        chart.send_keys("+", "+")
        until(lambda: abs(length(page) - 900) < 1, "a quarter")
        chart.send_keys(Keys.SHIFT, Keys.ARROW_LEFT)
        before = shown(page)
        node.report(score=0.4, level=-30.0)
        page.one(f"{LEVELS}[data-points]:not([data-points='{chart.get_attribute('data-points')}'])")
        assert shown(page) == before
        chart.send_keys("0")
        until(lambda: abs(length(page) - 3600) < 1, "the whole span")
