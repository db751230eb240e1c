"""How much one request may ask for."""

import dataclasses

from tfvae._checks import whole_number


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds that keep one client from taking the server from the others; what is beyond them is a 4xx.

    Attributes:
        request_bytes: of a request's body.
        rows: examples in a request, and draws that `sample` answers with.
        num_samples: draws an example, of `elbo` and `log_marginal`.
        draws: examples times draws an example.
        waiting: requests that wait for their turn.
        batch_rows: examples that are computed at once when requests are joined.
    """

    request_bytes: int = 32 * 2**20
    rows: int = 1024
    num_samples: int = 10_000
    draws: int = 1_000_000
    waiting: int = 256
    batch_rows: int = 128

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            whole_number(getattr(self, field.name), field.name)
