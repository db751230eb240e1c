"""What every estimator declares."""

from collections.abc import Callable
from typing import Any, Protocol

from tfvae.estimators.estimate import Estimate
from tfvae.typing import Distribution, Seed, Tensor


class Estimator(Protocol):
    """A pure function of x, q(z|x), p(z) and p(x|z): no randomness but its seed, and no weights of its own.

    The latents are opaque to it: z goes from the posterior to the prior and to `generate`, and no further.

    An estimator with a part that learns, such as a baseline, lists it in an attribute `layers`, whose weights the `VAE`
    trains and saves; one that keeps count of what it saw has `update(estimate, beta=)`, called once a training step.
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
        infer: Callable[[Tensor], Distribution] | None = None,
    ) -> Estimate:
        """Estimates the bound.

        Args:
            x: data `[B, *event]`.
            posterior: q(z|x), of batch shape `[B]`.
            prior: p(z), of batch shape `[]`.
            generate: takes z `[..., B, *latent]` and returns p(x|z), of batch shape `[..., B]`.
            beta: the weight of the KL in the surrogate.
            seed: an int or an int32 tensor `[2]`.
            infer: takes other x `[B, *event]` and returns q(z|x), for estimators that train the encoder on dreams.
        """
        ...

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        ...


def require_estimator(estimator: Any) -> Estimator:
    """The estimator as it is.

    Raises:
        TypeError: for a name, or a class in place of an object of it.
    """
    if isinstance(estimator, type):
        raise TypeError(
            f"An estimator is an object, with its settings. Received the class {estimator.__name__}: write "
            f"{estimator.__name__}()."
        )
    if not callable(estimator):
        raise TypeError(
            f"An estimator is an object of tfvae.estimators, such as SGVB() or DReG(5). Received: {estimator!r}."
        )
    return estimator
