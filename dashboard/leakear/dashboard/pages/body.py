"""Reads the JSON body of a request that anybody may have sent."""

import json
import math
from typing import Any, NoReturn

from starlette.requests import Request

from leakear.edge.errors import InputDataError
from leakear.edge.fields import UNUSABLE


class Refused(InputDataError):  # noqa: N818 - it is an expected result, not a failure
    """A request that is not carried out."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def json_object(request: Request, limit: int) -> dict[str, Any]:
    """Return the JSON object of a request of at most `limit` bytes; an empty body is an empty object.

    Raises Refused, also for NUL, lone surrogates, NaN, infinite numbers and whole ones that no float holds in it.
    """
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise Refused(413, f"The request is larger than {limit} bytes.")
    try:
        data = json.loads(bytes(content) or b"{}", parse_constant=_constant)
        _check(data)
    except (ValueError, OverflowError, RecursionError) as error:
        raise Refused(422, "The request is not JSON that can be used.") from error
    if not isinstance(data, dict):
        raise Refused(422, "The request is not a JSON object.")
    return data


def usable(text: str) -> bool:
    """Whether a text can be stored and sent."""
    return UNUSABLE.search(text) is None


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _check(value: Any) -> None:
    if isinstance(value, int):
        float(value)  # OverflowError: larger than any number that is meant, and math.isfinite would raise it later
    elif isinstance(value, dict):
        _check(list(value))
        _check(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            _check(item)
    elif (isinstance(value, str) and not usable(value)) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(value)
