"""What every estimator declares."""

from collections.abc import Callable
from typing import Any, Protocol

from tfvae.estimators.estimate import Estimate
from tfvae.typing import Distribution, Seed, Tensor


class Estimator(Protocol):
    """A pure function of x, q(z|x), p(z) and p(x|z): no weights, and no randomness but its seed.

    The latents are opaque to it: z goes from the posterior to the prior and to `generate`, and no further.
    """

    def __call__(
        self,
        x: Tensor,
        posterior: Distribution,
        prior: Distribution,
        generate: Callable[[Any], Distribution],
        *,
        beta: Tensor | float = 1.0,
        seed: Seed = None,
    ) -> Estimate:
        """Estimates the bound.

        Args:
            x: data `[B, *event]`.
            posterior: q(z|x), of batch shape `[B]`.
            prior: p(z), of batch shape `[]`.
            generate: takes z `[S, B, ...]` and returns p(x|z), of batch shape `[S, B]`.
            beta: the weight of the KL in the surrogate.
            seed: an int or an int32 tensor `[2]`.
        """
        ...

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        ...
