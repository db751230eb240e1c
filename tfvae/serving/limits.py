"""How much one request may ask for."""

import dataclasses
from collections.abc import Iterable

from tfvae._checks import whole_number
from tfvae.serving.signature import Signature

# A number with all its digits, sign, exponent and comma takes 25 characters; the rest is for brackets and spaces.
_NUMBER_BYTES, _FRAME_BYTES = 32, 4096


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds that keep one client from taking the server from the others; what is beyond them is a 4xx.

    Attributes:
        rows: examples in a request, and draws that `sample` answers with; fewer where `numbers` says so.
        numbers: in one tensor of a request or of its answer; one example is always let through.
        num_samples: draws an example, of `elbo` and `log_marginal`.
        draws: examples times draws an example; one example may have `num_samples`.
        long_draws: draws from which on a request is a long one: of these only one is computed at a time.
        waiting: requests that wait for their turn; a quarter of them may be long ones.
        held_bytes: of all bodies and answers that are on their way.
        batch_rows: examples that are computed at once when requests are joined.
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
        """The most examples that a request for a signature may have."""
        sizes = [info.row_size for info in (*signature.inputs.values(), *signature.outputs.values()) if info.has_batch]
        return max(1, min(self.rows, self.numbers // max(sizes, default=1)))

    def bytes_of(self, signatures: Iterable[Signature]) -> int:
        """The longest body that any of the signatures can need."""
        return _FRAME_BYTES + _NUMBER_BYTES * max(map(self._numbers_of, signatures), default=0)

    def _numbers_of(self, signature: Signature) -> int:
        """The most numbers of all inputs together, and one a row for the input's name."""
        rows = self.rows_of(signature)
        return sum(
            self.numbers if None in info.shape[1:] else (rows if info.has_batch else 1) * (info.row_size + 1)
            for info in signature.inputs.values()
        )
