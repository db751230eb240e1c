"""Limits on the size of requests."""

import dataclasses
from collections.abc import Iterable

from tfvae._checks import whole_number
from tfvae.serving.signature import Signature

# A number with all digits, sign, exponent and comma takes 25 characters. The rest is for brackets and spaces.
_NUMBER_BYTES, _FRAME_BYTES = 32, 4096


@dataclasses.dataclass(frozen=True)
class Limits:
    """Maximum sizes of requests, so that no client can block the others. Larger requests get a status 4xx.

    Attributes:
        rows: Examples per request, and samples per response of `sample`. `numbers` may lower it.
        numbers: Values per tensor of a request or response. One example is always allowed.
        num_samples: Samples per example of `elbo` and `log_marginal`.
        draws: Examples times samples per example. One example may always have `num_samples`.
        long_draws: Number of draws from which a request counts as long. Only one long request runs at a time.
        waiting: Requests that wait for their turn. A quarter of them may be long.
        held_bytes: Bytes of all request bodies being read and responses being sent.
        batch_rows: Examples per computation when requests are batched.
    """

    rows: int = 1024
    numbers: int = 2**18
    num_samples: int = 10_000
    draws: int = 1_000_000
    long_draws: int = 10_000
    waiting: int = 256
    held_bytes: int = 512 * 2**20
    batch_rows: int = 128

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            whole_number(getattr(self, field.name), field.name)

    def rows_of(self, signature: Signature) -> int:
        """Returns the maximum number of examples in a request for a signature."""
        sizes = [info.row_size for info in (*signature.inputs.values(), *signature.outputs.values()) if info.has_batch]
        return max(1, min(self.rows, self.numbers // max(sizes, default=1)))

    def bytes_of(self, signatures: Iterable[Signature]) -> int:
        """Returns the maximum size of a request body for any of the signatures, in bytes."""
        return _FRAME_BYTES + _NUMBER_BYTES * max(map(self._numbers_of, signatures), default=0)

    def _numbers_of(self, signature: Signature) -> int:
        """Returns the maximum number of values of all inputs, plus one per row for the name of the input."""
        rows = self.rows_of(signature)
        return sum(
            self.numbers if None in info.shape[1:] else (rows if info.has_batch else 1) * (info.row_size + 1)
            for info in signature.inputs.values()
        )
