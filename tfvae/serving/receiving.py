"""Receiving a body, and sending an answer, of any length."""

import asyncio

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from tfvae.serving.connections import SECONDS_FOR_CLIENTS
from tfvae.serving.holding import Part
from tfvae.serving.refusal import RefusedRequest

_PIECE = 64 * 2**10


async def receive_body(request: Request, most: int, held: Part) -> bytearray:
    """The body, refused as soon as it is too long.

    Raises:
        RefusedRequest: with status 413, 408 where it does not come in time, or 429 where all requests together hold
            too much.
    """
    too_long = RefusedRequest(413, f"A request's body has at most {most:,} bytes; this one is longer.")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > most:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(SECONDS_FOR_CLIENTS):
            async for part in request.stream():
                held.add(len(part))
                body += part
                if len(body) > most:
                    raise too_long
    except TimeoutError as error:
        raise RefusedRequest(408, f"The body did not come within {SECONDS_FOR_CLIENTS} seconds.") from error
    return body


def is_gzipped(request: Request) -> bool:
    """Whether the body is compressed, as TensorFlow Serving takes it too.

    Raises:
        RefusedRequest: with status 415 for a compression that neither takes.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise RefusedRequest(415, f"A body comes as it is or compressed with gzip; received {encoding[:40]!r}.")
    return encoding == "gzip"


class HeldAnswer(Response):
    """JSON that counts as held until the client has taken it."""

    media_type = "application/json"

    def __init__(self, content: bytes, held: Part):
        held.add(len(content))
        super().__init__(content)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it piece by piece: each waits until what is before it is nearly gone."""
        with self._held:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for start in range(0, len(self.body), _PIECE):
                part = self.body[start : start + _PIECE]
                await send({"type": "http.response.body", "body": part, "more_body": start + _PIECE < len(self.body)})
