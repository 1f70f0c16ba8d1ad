"""The fleet for other programs, and for pages of large fleets: counts, and a part of what a search finds."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.fleet import Node
from leakear.dashboard.pages.body import Refused
from leakear.dashboard.pages.handlers import ChangeLimits, number_of, route
from leakear.dashboard.service import Service
from leakear.dashboard.views.groups import GROUPS, shown
from leakear.dashboard.views.view import SORTS, View

ROWS = 100
"""nodes of an answer where `limit` is left out"""


class FleetPages:
    """Handler of /api/fleet."""

    def __init__(self, service: Service, limits: ChangeLimits) -> None:
        self._service, self._limits = service, limits

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [route("/api/fleet", self._limits.reading(self.part))]

    async def part(self, request: Request) -> Response:
        """Return counts of the fleet, how many nodes match, and those from `offset` on, at most `limit`."""
        query = request.query_params
        given: dict[str, Any] = {name: int(number_of(query.get(name, "0"))) for name in ("offset", "limit")}
        given["limit"] = given["limit"] or ROWS
        given["words"] = [[word, []] for word in query.get("search", "").split()]
        given |= {"group": query.get("group"), "sort": query.get("sort", "urgency")}
        view = View.of(given)
        if view is None:
            raise Refused(
                422, f"group is one of {', '.join(GROUPS)}; sort is one of {', '.join(SORTS)}; at most 8 words."
            )
        windows = self._service.hub.windows
        found = windows.find(view.what)
        rows = found.rows[view.offset : view.offset + view.limit].tolist()
        nodes = [_public(node) for row in rows if (node := windows.index.node(row)) is not None]
        counts = windows.counts()
        return JSONResponse({"total": len(windows.index), "counts": counts, "found": len(found.rows), "nodes": nodes})


def _public(node: Node) -> dict[str, Any]:
    """Return what a list shows of a node."""
    head = node.head()
    names = ("site", "node", "state", "presence", "since", "faults", "model")
    return {name: head[name] for name in names} | {
        "shown": shown(node), "seen": node.last_seen, "score": node.score, "level": node.level,
    }  # fmt: skip
