"""Connections that do not wait for ever, and are not too many.

uvicorn by itself waits without end for the rest of a request's head or body, and for an answer to be taken, and only
the connection itself can be ended: no handler is asked before the head has come, or after the answer is written.
"""

import asyncio
import json
import socket
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS_FOR_CLIENTS = 30
_SECONDS_MORE = 5  # in which a handler itself tells a client that its time is over
_TICKS = 10  # from one look at the connections to the next; uvicorn's ticks are a tenth of a second
_MOST_WAITING = 1024  # connections that are not taken yet
# A body in very many small chunks is taken apart one by one, and meanwhile nobody else is heard.
_RECEIVED_AT_ONCE = 16 * 2**10
_BUSY = json.dumps({"error": "There are too many connections. Try again in a moment."}).encode()
_TURNED_AWAY = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_BUSY), _BUSY)
)


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP with an end to waiting for a client: for a request to be complete, for its answer to be taken.

    Args:
        args: uvicorn's.
        most_connections: one more is turned away.
        kwargs: uvicorn's.
    """

    def __init__(self, *args: Any, most_connections: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._most_connections = most_connections
        self._waiting_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the connection, or turns it away."""
        super().connection_made(transport)
        if hasattr(transport, "max_size"):  # asyncio's own
            transport.max_size = _RECEIVED_AT_ONCE
        if len(self.connections) > self._most_connections:
            transport.write(_TURNED_AWAY)
            transport.close()

    def on_response_complete(self) -> None:
        """The next wait, if any, is another one."""
        self._waiting_since = None
        super().on_response_complete()

    def look(self, now: float) -> None:
        """Ends the connection if the client has had its time."""
        state = self.conn.their_state
        is_reading = not self.flow.read_paused  # else it is the server that does not listen
        is_incomplete = state is h11.SEND_BODY or (state is h11.IDLE and self.timeout_keep_alive_task is None)
        if not (is_reading and is_incomplete) and not self.transport.get_write_buffer_size():
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > SECONDS_FOR_CLIENTS + _SECONDS_MORE:
            self.transport.abort()


class TimedServer(uvicorn.Server):
    """uvicorn's server, looking after connections of `TimedProtocol`."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens; the system keeps more waiting than asyncio takes at once, which is one number to both of them."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_MOST_WAITING)

    async def on_tick(self, counter: int) -> bool:
        """Ends the connections of clients that are too slow."""
        if counter % _TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, TimedProtocol):
                    connection.look(now)
        return await super().on_tick(counter)
