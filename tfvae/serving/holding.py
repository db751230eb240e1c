"""How many bytes the server holds for its clients: bodies that are not read yet, answers that are not sent yet."""

from types import TracebackType
from typing import Self

from tfvae.serving.refusal import RefusedRequest


class Holding:
    """The bytes of all requests together.

    Args:
        most: how many there may be.
    """

    def __init__(self, most: int):
        self.most, self.num_bytes = most, 0

    def part(self) -> "Part":
        """What one request holds, given back when the context ends."""
        return Part(self)


class Part:
    """The bytes of one request."""

    def __init__(self, holding: Holding):
        self._holding, self._num_bytes = holding, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._holding.num_bytes -= self._num_bytes
        self._num_bytes = 0

    def add(self, num_bytes: int) -> None:
        """So many more are held.

        Raises:
            RefusedRequest: with status 429 where that is too much.
        """
        if self._holding.num_bytes + num_bytes > self._holding.most:
            raise RefusedRequest(429, "The server holds all the bytes it may for others. Try again in a moment.")
        self._holding.num_bytes += num_bytes
        self._num_bytes += num_bytes
