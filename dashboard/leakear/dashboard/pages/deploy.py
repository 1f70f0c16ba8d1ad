"""Addresses of the page that brings a model to nodes. Who may only view may see how far it is."""

import asyncio
import base64

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.deploy.rollout import Rollout
from leakear.dashboard.fleet import Key
from leakear.dashboard.pages.body import Refused, json_object
from leakear.dashboard.pages.handlers import BODY, ChangeLimits, operator_of, route
from leakear.dashboard.service import Service
from leakear.edge.messages.reports import Identity

MODEL_BYTES = 8 * 2**20
"""bytes of a model at most: what nodes take unless they are configured otherwise"""
NAMES_BYTES = 2**20
"""bytes of a request beside its model"""
SEAL = b"leakear-ed25519:"
"""mark in front of the signature that ends a signed model file"""


class Deploy:
    """Handlers of /api/deploy."""

    def __init__(self, service: Service, limits: ChangeLimits) -> None:
        self._service, self._limits = service, limits

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            route("/api/deploy", self.show),
            route("/api/deploy/start", self._limits.changing(self.start), "POST"),
            route("/api/deploy/stop", self._limits.changing(self.stop), "POST"),
            route("/api/deploy/rollback", self._limits.changing(self.roll_back), "POST"),
        ]

    async def show(self, _: Request) -> Response:
        """Return the rollout and how far it is."""
        current = self._service.rollouts.current
        return JSONResponse({"rollout": current.to_dict() if current else None})

    async def start(self, request: Request) -> Response:
        """Begin a rollout."""
        user = operator_of(request)
        body = await json_object(request, MODEL_BYTES * 4 // 3 + NAMES_BYTES)
        data, keys = _model(body.get("model")), self._nodes(body.get("nodes"))
        careful, trial = body.get("careful") is not False, body.get("trial") is not False
        rollout = Rollout.of(user.name, data, keys, careful=careful, trial=trial)
        self._service.rollouts.start(rollout)
        await self._record(user.name, "deploy", keys)
        return await self.show(request)

    async def stop(self, request: Request) -> Response:
        """Send the model to no further node."""
        user = operator_of(request)
        self._service.rollouts.stop(user.name)
        await self._record(user.name, "deploy-stop", [])
        return await self.show(request)

    async def roll_back(self, request: Request) -> Response:
        """Return to a model that was in use."""
        user, body = operator_of(request), await json_object(request, BODY + NAMES_BYTES)
        keys, to = self._nodes(body.get("nodes")), body.get("to") or None
        if to is not None and (not isinstance(to, str) or len(to) > 128):
            raise Refused(422, "The model is named by at most 128 characters.")
        await self._record(user.name, "rollback", keys)
        return JSONResponse({"nodes": await self._service.rollouts.roll_back(keys, to)})

    def _nodes(self, given: object) -> list[Key]:
        """Return the nodes of a request, each once. Raises Refused for one that is not known."""
        if not isinstance(given, list) or not given:
            raise Refused(422, "Choose at least one node.")
        keys: dict[Key, None] = {}
        for pair in given:
            if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(name, str) for name in pair):
                raise Refused(422, "A node is named by its site and its name.")
            who = Identity(*pair)
            if self._service.fleet.get((who.site, who.node)) is None:
                raise Refused(404, "This node is not known.")
            keys[who.site, who.node] = None
        return list(keys)

    async def _record(self, who: str, what: str, keys: list[Key]) -> None:
        names = ", ".join("/".join(key) for key in keys)
        await asyncio.to_thread(self._service.history.record_action, who, what, names)


def _model(text: object) -> bytes:
    """Return the bytes of a signed model. Raises Refused; the nodes check everything else, and the signature itself."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        data = b""
    if data[4:8] != b"TFL3" or len(data) > MODEL_BYTES:
        raise Refused(422, "This is no model file of leakear-convert, or it is larger than 8 MiB.")
    if data[-64 - len(SEAL) : -64] != SEAL:
        raise Refused(422, "The model is not signed, and nodes take only signed models: leakear-convert sign.")
    return data
