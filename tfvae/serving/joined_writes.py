"""Writing of the head and the body of a response in one call of the operating system."""

import asyncio
from typing import Any

_MAX_WAITING = 4096


class JoinedWrites:
    """Transport that sends a short piece, such as the head of a response, together with the next piece.

    If no other piece follows, it is sent when the event loop continues.

    Args:
        transport: Transport that sends the data.
    """

    def __init__(self, transport: asyncio.Transport):
        self._transport, self._waiting = transport, b""

    def write(self, data: bytes) -> None:
        """Sends data, with what waits, or lets it wait."""
        if self._waiting:
            data, self._waiting = self._waiting + data, b""
        elif 0 < len(data) <= _MAX_WAITING:
            self._waiting = data
            asyncio.get_running_loop().call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Closes the transport after all data have been sent."""
        self._flush()
        self._transport.close()

    def get_write_buffer_size(self) -> int:
        """Returns the number of bytes that have not been sent."""
        return len(self._waiting) + self._transport.get_write_buffer_size()

    def _flush(self) -> None:
        if self._waiting:
            data, self._waiting = self._waiting, b""
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
