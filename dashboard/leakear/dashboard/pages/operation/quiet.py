"""Addresses of the page of quiet times. Who may only view may see them."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.pages.body import Refused, json_object
from leakear.dashboard.pages.handlers import BODY, ChangeLimits, operator_of, route
from leakear.dashboard.quiet.calendar import LARGEST, by_hand, read_ics
from leakear.dashboard.service import Service
from leakear.edge.messages.reports import Identity

ICS_BODY = 2 * LARGEST + BODY
"""bytes of a request at most: a calendar as JSON text"""


class QuietPages:
    """Handlers of /api/quiet."""

    def __init__(self, service: Service, limits: ChangeLimits) -> None:
        self._service, self._limits = service, limits

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            route("/api/quiet", self._limits.reading(self.page)),
            route("/api/quiet", self._limits.changing(self.add), "POST"),
            route("/api/quiet/{id}/remove", self._limits.changing(self.remove), "POST"),
        ]

    async def page(self, _: Request) -> Response:
        """Return all quiet times with their next occurrences."""
        now = time.time()
        rows = await asyncio.to_thread(self._service.quiet.page, now)
        sites = sorted({node.site for node in self._service.fleet})
        nodes = sorted([node.site, node.name] for node in self._service.fleet)
        return JSONResponse({"quiet": rows, "now": now, "sites": sites, "nodes": nodes})

    async def add(self, request: Request) -> Response:
        """Add one by hand (`start`, `end`, `zone`, `repeat`, `title`), or those of a calendar file (`ics`)."""
        user, given = operator_of(request), await json_object(request, ICS_BODY)
        site, node = str(given.get("site", "")), str(given.get("node") or "")
        Identity(site, node or "any")  # raises ConfigError for what is no name
        if given.get("ics"):
            entries = await asyncio.to_thread(read_ics, str(given["ics"]))
        else:
            start, end = given.get("start"), given.get("end")
            if not isinstance(start, int | float) or not isinstance(end, int | float) or not 0 < start < end < 1e11:
                raise Refused(422, "Give the beginning and the end, the end after the beginning.")
            texts = [str(given.get(name) or "") for name in ("title", "zone", "repeat")]
            entries = [by_hand(texts[0], float(start), float(end), texts[1] or "UTC", texts[2])]
        kind = str(given.get("kind", ""))
        ids = await asyncio.to_thread(self._service.quiet.add, site, node, kind, entries, who=user.name)
        self._changed()
        return JSONResponse({"ids": ids})

    def _changed(self) -> None:
        self._service.raising.show_quiet()
        self._service.hub.relay({"t": "quiet"})

    async def remove(self, request: Request) -> Response:
        """Remove one."""
        user = operator_of(request)
        if not await asyncio.to_thread(self._service.quiet.remove, request.path_params["id"], user.name):
            raise Refused(404, "This quiet time is not known.")
        self._changed()
        return JSONResponse({"ok": True})
