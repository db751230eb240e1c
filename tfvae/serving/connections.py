"""Limits on the duration and number of connections.

uvicorn waits forever for the rest of a request's headers or body and for a client to read a response. Handlers cannot
prevent this: they run neither before the headers have arrived nor after the response has been written. Only the
connection itself can be closed.
"""

import asyncio
import json
import socket
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tfvae.serving.joined_writes import JoinedWrites

SECONDS_FOR_CLIENTS = 30
_GRACE_SECONDS = 5  # lets a handler report the timeout to the client first
_TICKS = 10  # between two checks of the connections; a tick of uvicorn is a tenth of a second
_MAX_PENDING = 1024  # connections that have not been accepted yet
# A body in many small chunks is parsed chunk by chunk, which blocks all other clients.
_RECEIVE_BYTES = 16 * 2**10
_BUSY = json.dumps({"error": "There are too many connections. Try again in a moment."}).encode()
_TOO_MANY_CONNECTIONS = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_BUSY), _BUSY)
)


class TimedProtocol(H11Protocol):
    """HTTP protocol of uvicorn with timeouts for receiving a request and for sending its response.

    Args:
        args: Arguments of uvicorn.
        max_connections: Maximum number of connections. Further ones are refused.
        kwargs: Keyword arguments of uvicorn.
    """

    def __init__(self, *args: Any, max_connections: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._max_connections = max_connections
        self._waiting_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accepts the connection, or refuses it if there are too many."""
        super().connection_made(transport)
        if hasattr(transport, "max_size"):  # asyncio's own
            transport.max_size = _RECEIVE_BYTES
        self.transport = JoinedWrites(transport)  # type: ignore[assignment]
        if len(self.connections) > self._max_connections:
            transport.write(_TOO_MANY_CONNECTIONS)
            transport.close()

    def on_response_complete(self) -> None:
        """Resets the timeout before the next request."""
        self._waiting_since = None
        super().on_response_complete()

    def close_if_late(self, now: float) -> None:
        """Closes the connection if the client has exceeded its timeout."""
        state = self.conn.their_state
        is_reading = not self.flow.read_paused  # otherwise the server itself has paused reading
        is_incomplete = state is h11.SEND_BODY or (state is h11.IDLE and self.timeout_keep_alive_task is None)
        if not (is_reading and is_incomplete) and not self.transport.get_write_buffer_size():
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > SECONDS_FOR_CLIENTS + _GRACE_SECONDS:
            self.transport.abort()


class TimedServer(uvicorn.Server):
    """Server of uvicorn that closes connections of `TimedProtocol` after their timeout."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts listening with a longer queue of pending connections than asyncio accepts at once."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_MAX_PENDING)

    async def on_tick(self, counter: int) -> bool:
        """Closes the connections of clients that are too slow."""
        if counter % _TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, TimedProtocol):
                    connection.close_if_late(now)
        return await super().on_tick(counter)
