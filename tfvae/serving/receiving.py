"""Receiving a body, and sending an answer, of any length."""

import asyncio

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from tfvae.serving.connections import SECONDS_FOR_CLIENTS
from tfvae.serving.holding import Part
from tfvae.serving.refusal import RefusedRequest

_PIECE = 64 * 2**10
_MOST_DROPPED = 64 * 2**20


async def receive_body(request: Request, most: int, held: Part) -> bytearray:
    """The body; of one that is refused the rest is dropped, for many clients read no answer before all is sent.

    Raises:
        RefusedRequest: with status 413, 408 where it does not come in time, or 429 where all requests together hold
            too much.
    """
    too_long = RefusedRequest(413, f"A request's body has at most {most:,} bytes; this one is longer.")
    announced = request.headers.get("content-length", "")
    refusal = too_long if announced.isdecimal() and int(announced[:20]) > most else None
    if refusal is not None and "expect" in request.headers:
        raise refusal  # to a client that asks whether to send it
    body, num_dropped = bytearray(), 0
    try:
        async with asyncio.timeout(SECONDS_FOR_CLIENTS):
            async for part in request.stream():
                if refusal is None:
                    refusal = _take(part, body, held) or (too_long if len(body) > most else None)
                elif (num_dropped := num_dropped + len(part)) > _MOST_DROPPED:
                    break
    except TimeoutError:
        refusal = refusal or RefusedRequest(408, f"The body did not come within {SECONDS_FOR_CLIENTS} seconds.")
    if refusal is not None:
        raise refusal
    return body


def _take(part: bytes, body: bytearray, held: Part) -> RefusedRequest | None:
    try:
        held.add(len(part))
    except RefusedRequest as refusal:
        return refusal
    body += part
    return None


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
