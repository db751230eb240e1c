"""Errors for requests that the server refuses."""

from fastapi import Request
from fastapi.responses import JSONResponse

_HEADERS = {408: {"connection": "close"}, 429: {"retry-after": "1"}}


class RefusedRequest(Exception):
    """Error that is sent to the client as a response.

    Args:
        status: HTTP status code.
        message: One sentence that explains the error.
    """

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message


async def answer_refusal(request: Request, refusal: Exception) -> JSONResponse:
    """Exception handler for `RefusedRequest`. Responds with its status and `{"error": message}`."""
    if not isinstance(refusal, RefusedRequest):
        raise refusal
    return JSONResponse({"error": refusal.message}, refusal.status, _HEADERS.get(refusal.status))
