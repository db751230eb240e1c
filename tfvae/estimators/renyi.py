"""The variational Renyi bound, and its maximum."""

import dataclasses
import math
import numbers
from typing import Any

import tensorflow as tf

from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._latents import require_reparameterized
from tfvae.estimators.draws import draw, kl_of, log_mean_exp, mean_over_draws
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class Renyi(Configured):
    """The variational Renyi bound (1 / (1 - alpha)) log (1/K) sum_k w_k^(1 - alpha), w_k = p(x, z_k) / q(z_k|x).

    alpha = 1 is the ELBO, alpha = 0 the importance-weighted bound, alpha = -inf VR-max, which trains on the draw of the
    largest weight. Larger alpha makes q narrower (mode-seeking), smaller alpha wider.

    What is reported is a lower bound on log p(x) whatever alpha: the Renyi bound itself for alpha >= 0, where it is
    one, and for alpha < 0, where it may lie above log p(x), the importance-weighted bound of the same draws.

    Args:
        alpha: the order, any number or -inf.
        num_importance_samples: K, draws of z.
        chunk_size: draws of an example that are decoded at a time; see `ImportanceWeighted`.

    Raises:
        ValueError: for a count below one, or an order that is NaN or +inf; when called with a posterior that is not
            reparameterised.

    Numerics:
        In float32 an order close to 1, but not 1, costs digits: the value is off by about 1e-7 / |1 - alpha|.

    References:
        Li & Turner, Renyi Divergence Variational Inference, 2016, arXiv 1602.02311, equations 4, 12 and section 4.3.
    """

    alpha: float = 0.5
    num_importance_samples: int = 5
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        alpha = -math.inf if self.alpha == "-inf" else self.alpha  # as a file has it
        if not isinstance(alpha, numbers.Real) or isinstance(alpha, bool) or not alpha < math.inf:
            raise ValueError(f"alpha is a number, or -inf for VR-max. Received: {self.alpha!r}.")
        self._check_counts("num_importance_samples")
        self._check_chunk_size()
        self._set(alpha=float(alpha))

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        require_reparameterized(problem.posterior, self)
        (seed_z,) = split_seed(seed, 1, "renyi")
        shape = [self.num_importance_samples]
        draws = draw(problem, sample_shape=shape, seed=seed_z, chunk_size=self.chunk_size)  # [K, B]
        log_weights = draws.log_weights()
        return Estimate(
            surrogate_loss=-self._of(draws.log_weights(beta)),
            bound=self._of(log_weights) if self.alpha >= 0.0 else log_mean_exp(log_weights),
            log_likelihood=mean_over_draws(draws.log_likelihood),
            kl=kl_of(problem, draws),
        )

    def _of(self, log_weights: Tensor) -> Tensor:
        if self.alpha == 1.0:
            return mean_over_draws(log_weights)
        if self.alpha == -math.inf:
            return tf.reduce_max(log_weights, axis=0)
        return log_mean_exp((1.0 - self.alpha) * log_weights) / (1.0 - self.alpha)

    def get_config(self) -> dict[str, Any]:
        # JSON has no infinity.
        return {**super().get_config(), "alpha": "-inf" if self.alpha == -math.inf else self.alpha}
