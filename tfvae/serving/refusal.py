"""Requests that are answered with a mistake of the client."""

from fastapi import Request
from fastapi.responses import JSONResponse

_HEADERS = {408: {"connection": "close"}, 429: {"retry-after": "1"}}


class RefusedRequest(Exception):
    """A request that is answered with a 4xx.

    Args:
        status: the HTTP status.
        message: one sentence.
    """

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message


async def answer_refusal(request: Request, refusal: Exception) -> JSONResponse:
    """The exception handler for `RefusedRequest`: its status, and `{"error": message}`."""
    if not isinstance(refusal, RefusedRequest):
        raise refusal
    return JSONResponse({"error": refusal.message}, refusal.status, _HEADERS.get(refusal.status))
