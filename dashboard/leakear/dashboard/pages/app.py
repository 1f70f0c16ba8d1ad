"""The web application: one page for all addresses, its files, its data, and its WebSocket."""

from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from leakear.dashboard.pages.access import Access
from leakear.dashboard.pages.api import Api
from leakear.dashboard.pages.cases import CasePages
from leakear.dashboard.pages.deploy import Deploy
from leakear.dashboard.pages.gate import Gate
from leakear.dashboard.pages.handlers import ChangeLimits
from leakear.dashboard.pages.live import Live
from leakear.dashboard.pages.login import Login
from leakear.dashboard.pages.pipes import PipesApi
from leakear.dashboard.service import Service

STATIC = Path(str(files("leakear.dashboard").joinpath("static")))
PAGES = (
    "/", "/alerts", "/cases", "/cases/{id}", "/deploy", "/login", "/node/{site}/{node}", "/pipes", "/pipes/{id}",
)  # fmt: skip
"""addresses that all get the one page, which shows what its address says"""


class Assets(StaticFiles):
    """The page's files. The browser must ask each time whether they changed, so that an update is visible at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve a file with `cache-control: no-cache`."""
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = "no-cache"
        return answer


def build(service: Service) -> Starlette:
    """Make the application around a service."""
    options = service.options
    access = Access(service.users, options, service.start_token)

    async def page(_request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    limits = ChangeLimits()
    routes = [
        Mount("/static", Assets(directory=STATIC)),
        Route("/favicon.ico", lambda _request: FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")),
        *Login(service.users, access).routes(),
        *Api(service, limits).routes(),
        *CasePages(service, limits).routes(),
        *Deploy(service, limits).routes(),
        *PipesApi(service, limits).routes(),
        WebSocketRoute("/live", Live(service).serve),
        *(Route(path, page) for path in PAGES),
    ]
    gate = Middleware(Gate, access=access, options=options)
    return Starlette(routes=routes, middleware=[gate])
