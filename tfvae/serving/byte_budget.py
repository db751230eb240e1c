"""Memory limit for request bodies that are being read and for responses that are being sent."""

from types import TracebackType
from typing import Self

from tfvae.serving.refusal import RefusedRequest


class ByteBudget:
    """Number of bytes that all requests together may use.

    Args:
        max_bytes: Maximum number of bytes.
    """

    def __init__(self, max_bytes: int):
        self.max_bytes, self.num_bytes = max_bytes, 0

    def reserve(self) -> "Reservation":
        """Returns an empty reservation for one request. Its bytes are released when the context ends."""
        return Reservation(self)


class Reservation:
    """Bytes reserved for one request."""

    def __init__(self, budget: ByteBudget):
        self._budget, self._num_bytes = budget, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._budget.num_bytes -= self._num_bytes
        self._num_bytes = 0

    def add(self, num_bytes: int) -> None:
        """Reserves more bytes.

        Raises:
            RefusedRequest: If the budget is exhausted, with status 429.
        """
        if self._budget.num_bytes + num_bytes > self._budget.max_bytes:
            raise RefusedRequest(429, "The memory for requests is in use. Try again in a moment.")
        self._budget.num_bytes += num_bytes
        self._num_bytes += num_bytes
