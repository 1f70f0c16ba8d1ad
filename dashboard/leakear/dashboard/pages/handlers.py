"""What the handlers of /api share: errors as sentences, permissions, limits, values of the address."""

import math
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from leakear.dashboard.accounts.throttle import Budgets
from leakear.dashboard.accounts.users import User
from leakear.dashboard.fleet import Key
from leakear.dashboard.pages.body import Refused, usable
from leakear.dashboard.pages.turns import Turns
from leakear.edge.errors import ConfigError, InputDataError
from leakear.edge.messages.reports import Identity

BODY = 16 * 1024
"""bytes of a request at most"""
CHANGES, CHANGES_PER_S = 60.0, 1.0
"""requests of a user that change something: so many at once, then so many a second"""

Handler = Callable[[Request], Awaitable[Response]]


class ChangeLimits:
    """How often a user may change something, and how many readings of one user are carried out at a time."""

    def __init__(self) -> None:
        self._budgets = Budgets(CHANGES, CHANGES_PER_S)
        self._turns = Turns()

    def reading(self, handler: Handler) -> Handler:
        """Return a handler of which a user has only a few carried out at a time."""

        async def in_turn(request: Request) -> Response:
            async with self._turns.of(user_of(request).name):
                return await handler(request)

        return in_turn

    def changing(self, handler: Handler) -> Handler:
        """Return a handler that an operator may call only so often."""

        async def limited(request: Request) -> Response:
            if not self._budgets.take(operator_of(request).name, time.monotonic()):
                raise Refused(429, "Too many requests: wait a moment.")
            return await handler(request)

        return limited


def route(path: str, handler: Handler, method: str = "GET") -> Route:
    """Return a route whose errors become JSON answers with a sentence."""

    async def answered(request: Request) -> Response:
        try:
            _check_address(request)
            return await handler(request)
        except Refused as error:
            return JSONResponse({"error": str(error)}, error.status)
        except (InputDataError, ConfigError) as error:
            return JSONResponse({"error": str(error)}, 422)

    return Route(path, answered, methods=[method])


def _check_address(request: Request) -> None:
    """Refuse characters that a database refuses. Raises Refused."""
    if not all(usable(str(text)) for text in (*request.path_params.values(), *request.query_params.values())):
        raise Refused(422, "The address has characters that no name has.")


def user_of(request: Request) -> User:
    """Return who asks."""
    user: User = request.state.user
    return user


def operator_of(request: Request) -> User:
    """Return who asks, if that user may operate. Raises Refused."""
    user = user_of(request)
    if not user.operates:
        raise Refused(403, "Your role may view, not operate.")
    return user


def key_of(request: Request) -> Key:
    """Return the node of the address. Raises ConfigError."""
    who = Identity(request.path_params["site"], request.path_params["node"])
    return who.site, who.node


def root_of(request: Request) -> str:
    """Return the relative address of "/" as seen from the page that was asked for: "./" or some "../".

    Browsers resolve it against the address they know, so that pages need not know what a proxy has put in front.
    """
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return "../" * (path.count(b"/") - 1) or "./"


def span_of(request: Request) -> tuple[float, float]:
    """Return `since` and `until` of the address, POSIX seconds; all that is known where they are left out."""
    query = request.query_params
    return number_of(query.get("since") or "0"), number_of(query.get("until") or "1e12")


def number_of(text: str) -> float:
    """Return a finite number of the address. Raises Refused."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refused(422, f"{text[:40]!a} is not a number.")
    return number
