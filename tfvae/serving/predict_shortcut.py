"""Shortcut for `:predict` requests, which skips the search for a route and the arguments of its function."""

from collections.abc import Awaitable, Callable, Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tfvae.serving.refusal import RefusedRequest, answer_refusal


class PredictShortcut:
    """ASGI middleware that answers POST requests to some paths by itself and passes all others on.

    The answers are those of the routes of the same paths, which describe them in the OpenAPI document.

    Args:
        app: The wrapped app.
        paths: Paths without escapes.
        answer: Function from a request to its response.
    """

    def __init__(self, app: ASGIApp, *, paths: Collection[str], answer: Callable[[Request], Awaitable[Response]]):
        self._app, self._paths, self._answer = app, frozenset(paths), answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except RefusedRequest as refusal:
            response = await answer_refusal(request, refusal)
        await response(scope, receive, send)
