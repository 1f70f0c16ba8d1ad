"""Fixtures of the dashboard's tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of our own, unprivileged, on a socket in a temporary folder."""
    with Postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database, on each of the two engines."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/history.sqlite"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def engine(database: str) -> Iterator[Any]:
    """The same, opened."""
    from leakear.dashboard.history.tables import open_database

    opened = open_database(database)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests."""
    import shutil

    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
    from tests.support.harness import Browser

    running = Browser()
    yield running
    running.quit()


@pytest.fixture(scope="module")
def mqtt() -> Iterator[Any]:
    """A mosquitto that keeps what it has acknowledged."""
    from tests.support.broker import Broker

    with Broker(persistence=True) as running:
        yield running


@pytest.fixture(scope="module")
def dashboard(mqtt: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The program, subscribed; silent for five seconds is stale."""
    from tests.support.harness import Dashboard

    folder = tmp_path_factory.mktemp("dashboard")
    options = ("--stale-after", "5", "--lost-after", "600")
    with Dashboard(f"mqtt://127.0.0.1:{mqtt.port}", folder, *options) as running:
        yield running.ready()


@pytest.fixture
def page(browser: Any, dashboard: Any) -> Iterator[Any]:
    """The fleet, opened; at the end the console must hold no error."""
    browser.open(dashboard.url)
    browser.js("localStorage.clear(); sessionStorage.clear()")
    browser.open(dashboard.url)
    browser.one('.line:not([data-line="down"])')
    yield browser
    found = browser.complaints()
    browser.open("about:blank")  # before the dashboard goes
    assert found == []
