"""The variational Renyi bound."""

import dataclasses
import math
import numbers
from typing import Any

import tensorflow as tf

from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._latents import require_reparameterized
from tfvae.estimators.draws import draw, log_mean_exp, mean_over_draws, reported_kl
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class Renyi(Configured):
    """The variational Renyi bound (1 / (1 - alpha)) log (1/K) sum_k w_k^(1 - alpha), w_k = p(x, z_k) / q(z_k|x).

    alpha = 1 is the ELBO, alpha = 0 the importance-weighted bound, and alpha = -inf VR-max, which trains on the draw
    with the largest weight. A larger alpha makes q narrower (mode-seeking), a smaller one wider.

    The reported bound is always a lower bound on log p(x): the Renyi bound for alpha >= 0, and the importance-weighted
    bound of the same draws for alpha < 0, where the Renyi bound may exceed log p(x).

    Args:
        alpha: The order, any number or -inf.
        num_importance_samples: K, number of draws of z.
        chunk_size: Number of draws per example that are decoded at a time; see `ImportanceWeighted`.

    Raises:
        ValueError: If a count is below one, or `alpha` is NaN or +inf; when called, if the posterior is not
            reparameterised.

    Numerics:
        In float32 an order close to 1, but not equal to it, loses precision: the error is about 1e-7 / |1 - alpha|.

    References:
        Li & Turner, Renyi Divergence Variational Inference, 2016, arXiv 1602.02311, equations 4, 12 and section 4.3.
    """

    alpha: float = 0.5
    num_importance_samples: int = 5
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        alpha = -math.inf if self.alpha == "-inf" else self.alpha  # JSON has no infinity
        if not isinstance(alpha, numbers.Real) or isinstance(alpha, bool) or not alpha < math.inf:
            raise ValueError(f"`alpha` must be a number, or -inf for VR-max. Received: alpha={self.alpha!r}")
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
            surrogate_loss=-self._renyi_bound(draws.log_weights(beta)),
            bound=self._renyi_bound(log_weights) if self.alpha >= 0.0 else log_mean_exp(log_weights),
            log_likelihood=mean_over_draws(draws.log_likelihood),
            **reported_kl(problem, draws),
        )

    def _renyi_bound(self, log_weights: Tensor) -> Tensor:
        if self.alpha == 1.0:
            return mean_over_draws(log_weights)
        if self.alpha == -math.inf:
            return tf.reduce_max(log_weights, axis=0)
        return log_mean_exp((1.0 - self.alpha) * log_weights) / (1.0 - self.alpha)

    def get_config(self) -> dict[str, Any]:
        # JSON has no infinity.
        return {**super().get_config(), "alpha": "-inf" if self.alpha == -math.inf else self.alpha}
