"""The pages' cases: lists, figures, steps, photos. A step twice is one step; one over another is refused with both."""

import asyncio
import re
import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.cases.changes import LARGEST_PHOTO
from leakear.dashboard.cases.store import Conflict
from leakear.dashboard.history import Row
from leakear.dashboard.pages.body import Refused, json_object
from leakear.dashboard.pages.handlers import ChangeLimits, operator_of, route
from leakear.dashboard.priority.reading import ranked
from leakear.dashboard.service import Service
from leakear.edge.messages.identifiers import REQUEST_ID
from leakear.edge.messages.reports import Identity

BODY = LARGEST_PHOTO * 4 // 3 + 16 * 1024
"""bytes of a request at most: a photo as base64"""
VERSION = r"[0-9]{1,9}"
"""what the database's column takes"""


class CasePages:
    """Handlers of /api/cases."""

    def __init__(self, service: Service, limits: ChangeLimits) -> None:
        self._service, self._cases, self._limits = service, service.cases, limits

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            route("/api/cases", self._limits.reading(self.page)),
            route("/api/cases", self._limits.changing(self.open), "POST"),
            route("/api/cases/{id}", self._limits.reading(self.one)),
            route("/api/cases/{id}/steps", self._limits.changing(self.step), "POST"),
            route("/api/cases/{id}/photos/{version}", self._limits.reading(self.photo)),
        ]

    async def page(self, request: Request) -> Response:
        """Return cases and the figures over all of them."""
        which = request.query_params.get("filter", "open")
        if which not in ("open", "all"):
            raise Refused(422, f"There is no filter {which[:40]!a}: use open or all.")
        rows = await asyncio.to_thread(self._cases.page, which)
        rows = await asyncio.to_thread(ranked, self._cases.engine, rows, time.time())
        return JSONResponse(
            {"cases": rows, "figures": await asyncio.to_thread(self._cases.figures), "now": time.time()}
        )

    async def one(self, request: Request) -> Response:
        """Return one case with its changes."""
        return self._answer(await asyncio.to_thread(self._cases.get, request.path_params["id"]))

    async def open(self, request: Request) -> Response:
        """Open a case by hand; where one is open at the node already, return that one."""
        user, given = operator_of(request), await json_object(request, BODY)
        who = Identity(str(given.get("site", "")), str(given.get("node", "")))
        event_id, note = given.get("event_id"), str(given.get("note", ""))[:2000]
        opened = await asyncio.to_thread(
            self._cases.open,
            (who.site, who.node),
            user.name,
            _request_id(given),
            str(event_id) if event_id else None,
            note,
        )
        return self._told(opened)

    async def step(self, request: Request) -> Response:
        """Take a step; 409 with the case as it stands where somebody else was faster."""
        user, given = operator_of(request), await json_object(request, BODY)
        version = given.get("version")
        if not isinstance(version, int):
            raise Refused(422, "version must be a whole number: that of the case as it was shown.")
        try:
            changed = await asyncio.to_thread(
                self._cases.change, request.path_params["id"], user.name, _request_id(given),
                version=version, what=str(given.get("what", "")), given=given,
            )  # fmt: skip
        except Conflict as error:
            return JSONResponse({"error": str(error), "case": error.case}, 409)
        return self._told(changed)

    async def photo(self, request: Request) -> Response:
        """Return the photo that a change brought."""
        case_id, version = request.path_params["id"], request.path_params["version"]
        known = re.fullmatch(VERSION, version) is not None
        found = await asyncio.to_thread(self._cases.photo, case_id, int(version)) if known else None
        if found is None:
            raise Refused(404, "This photo is not known.")
        return Response(found[1], media_type=found[0])

    def _told(self, case: Row | None) -> Response:
        if case is not None:
            self._service.hub.broadcast({"t": "case", "case": case})
        return self._answer(case)

    @staticmethod
    def _answer(case: Row | None) -> Response:
        if case is None:
            raise Refused(404, "This case is not known.")
        return JSONResponse({"case": case, "now": time.time()})


def _request_id(given: dict[str, Any]) -> str:
    text = given.get("request")
    if not isinstance(text, str) or re.fullmatch(REQUEST_ID, text) is None:
        raise Refused(422, "request must be a text that names this request, of letters and digits.")
    return text
