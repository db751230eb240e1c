"""Receiving of request bodies and sending of responses of any length."""

import asyncio

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from tfvae.serving.byte_budget import Reservation
from tfvae.serving.connections import SECONDS_FOR_CLIENTS
from tfvae.serving.refusal import RefusedRequest

_CHUNK_BYTES = 64 * 2**10
_MAX_DISCARDED = 64 * 2**20


async def receive_body(request: Request, max_bytes: int, reservation: Reservation) -> bytearray:
    """Receives the body. The rest of a refused body is discarded, because many clients send all before they read.

    Raises:
        RefusedRequest: If the body is too long, with status 413; if it is not received in time, with 408; if all
            requests together use too much memory, with 429.
    """
    too_long = RefusedRequest(413, f"The body must have at most {max_bytes:,} bytes. It has more.")
    content_length = request.headers.get("content-length", "")
    refusal = too_long if content_length.isdecimal() and int(content_length[:20]) > max_bytes else None
    if refusal is not None and "expect" in request.headers:
        raise refusal  # the client asks before it sends the body
    body, num_discarded = bytearray(), 0
    try:
        async with asyncio.timeout(SECONDS_FOR_CLIENTS):
            async for part in request.stream():
                if refusal is None:
                    refusal = _append(part, body, reservation) or (too_long if len(body) > max_bytes else None)
                elif (num_discarded := num_discarded + len(part)) > _MAX_DISCARDED:
                    break
    except TimeoutError:
        refusal = refusal or RefusedRequest(408, f"The body was not received within {SECONDS_FOR_CLIENTS} seconds.")
    if refusal is not None:
        raise refusal
    return body


def _append(part: bytes, body: bytearray, reservation: Reservation) -> RefusedRequest | None:
    try:
        reservation.add(len(part))
    except RefusedRequest as refusal:
        return refusal
    body += part
    return None


def is_gzipped(request: Request) -> bool:
    """Whether the body is compressed with gzip, which TensorFlow Serving accepts too.

    Raises:
        RefusedRequest: If the body is compressed in another way, with status 415.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise RefusedRequest(415, f"Content-Encoding must be identity or gzip. Received: {encoding[:40]!r}")
    return encoding == "gzip"


class BudgetedResponse(Response):
    """JSON response whose bytes stay reserved until the client has read them."""

    media_type = "application/json"

    def __init__(self, content: bytes, reservation: Reservation):
        reservation.add(len(content))
        super().__init__(content)
        self._reservation = reservation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the response in chunks, each after the previous one has nearly been sent."""
        with self._reservation:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for start in range(0, len(self.body), _CHUNK_BYTES):
                part = self.body[start : start + _CHUNK_BYTES]
                await send(
                    {"type": "http.response.body", "body": part, "more_body": start + _CHUNK_BYTES < len(self.body)}
                )
