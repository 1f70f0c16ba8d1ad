"""The map's data, the files that people give it, and its tiles."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.map.given import placed
from leakear.dashboard.map.projection import System
from leakear.dashboard.map.town import Town
from leakear.dashboard.pages.body import Refused, json_object
from leakear.dashboard.pages.handlers import BODY, ChangeLimits, number_of, operator_of, route
from leakear.dashboard.service import Service
from leakear.edge.errors import ConfigError, InputDataError
from leakear.edge.messages.reports import Identity

LARGEST = 32 << 20
"""bytes of an uploaded file"""
SOURCES = ("click", "gps")
TILES_S = 86400
"""seconds for which a browser keeps a tile"""


class MapPages:
    """Handlers of /api/map and of the tiles."""

    def __init__(self, service: Service, limits: ChangeLimits) -> None:
        self._service, self._limits = service, limits

    @property
    def _town(self) -> Town:
        return self._service.town

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            route("/api/map", self._limits.reading(self.shown)),
            route("/api/map/clusters", self._limits.reading(self.clusters)),
            route("/api/map/network", self._limits.reading(self.network)),
            route("/api/map/coverage", self._limits.reading(self.coverage)),
            route("/api/map/geojson", self._limits.reading(self.geojson)),
            route("/api/map/place", self._limits.changing(self.place), "POST"),
            route("/api/map/remove", self._limits.changing(self.remove), "POST"),
            route("/api/map/upload", self._limits.changing(self.upload), "POST"),
            route("/api/map/clear", self._limits.changing(self.clear), "POST"),
            Route("/tiles/{zoom:int}/{column:int}/{row:int}", self.tile),
        ]

    async def shown(self, _request: Request) -> Response:
        """Return positions, stretches with located leaks, open cases, and whether there are tiles."""
        return JSONResponse(await asyncio.to_thread(self._town.shown))

    async def clusters(self, request: Request) -> Response:
        """Return the marks of nodes in a box of the map of a city."""
        query = request.query_params
        west, south, east, north = (number_of(query.get(name, "")) for name in ("west", "south", "east", "north"))
        zoom = int(min(max(number_of(query.get("zoom", "")), 0), 22))
        fleet, index = self._service.fleet, self._service.hub.windows.index
        marks = await asyncio.to_thread(self._town.clusters, fleet, index, (west, south, east, north), zoom)
        return JSONResponse({"marks": marks})

    async def network(self, _request: Request) -> Response:
        """Return the pipes of the town."""
        return JSONResponse(await asyncio.to_thread(self._town.network))

    async def coverage(self, _request: Request) -> Response:
        """Return which pipes nobody hears now."""
        listening = self._town.listening(self._service.fleet)
        return JSONResponse(await asyncio.to_thread(self._town.coverage, listening))

    async def geojson(self, _request: Request) -> Response:
        """Return the map as a file (RFC 7946)."""
        states = {node.key: node.state for node in self._service.fleet}
        text = await asyncio.to_thread(self._town.geojson, states)
        headers = {"content-disposition": 'attachment; filename="leakear-map.geojson"'}
        return Response(text, media_type="application/geo+json", headers=headers)

    async def place(self, request: Request) -> Response:
        """Store the position of one node."""
        body = await json_object(request, BODY)
        source = body.get("source")
        if source not in SOURCES:
            raise Refused(422, "A position comes from click or gps.")
        where = (body.get("longitude"), body.get("latitude"))
        one = placed(body.get("site"), body.get("node"), where, "The position", body.get("accuracy"))
        await asyncio.to_thread(self._town.places.place, [one], source, operator_of(request).name)
        return self._changed({"ok": True})

    async def remove(self, request: Request) -> Response:
        """Take the position of a node away."""
        body = await json_object(request, BODY)
        who = Identity(str(body.get("site")), str(body.get("node")))
        if not await asyncio.to_thread(self._town.places.take_away, (who.site, who.node), operator_of(request).name):
            raise Refused(404, "This node has no position.")
        return self._changed({"ok": True})

    async def upload(self, request: Request) -> Response:
        """Read a file (its name and its text are in the JSON) and store what it holds."""
        body = await json_object(request, LARGEST)
        name, text, system = body.get("name"), body.get("text"), body.get("system", {})
        if not isinstance(name, str) or not isinstance(text, str) or not isinstance(system, dict):
            raise Refused(422, "A file has a name, a text and what its coordinates are.")
        try:
            given = await asyncio.to_thread(self._town.read, name, text, System.of(system))
            counts = await asyncio.to_thread(
                self._town.take, given, name, operator_of(request).name, replace=body.get("replace") is True
            )
        except (InputDataError, ConfigError) as error:
            raise Refused(422, f"{name[:80]}: {error}") from error
        return self._changed(counts)

    async def clear(self, request: Request) -> Response:
        """Remove all pipes of the town."""
        count = await asyncio.to_thread(self._town.places.clear, operator_of(request).name)
        return self._changed({"pipes": count})

    async def tile(self, request: Request) -> Response:
        """Return one tile of the background."""
        if self._town.tiles is None:
            return Response(status_code=404)
        where = (request.path_params[name] for name in ("zoom", "column", "row"))
        found = await asyncio.to_thread(self._town.tiles.tile, *where)
        if found is None:
            return Response(status_code=204)
        return Response(found[0], media_type=found[1], headers={"cache-control": f"private, max-age={TILES_S}"})

    def _changed(self, answer: dict[str, Any]) -> Response:
        self._service.hub.broadcast({"t": "map"})
        return JSONResponse(answer)
