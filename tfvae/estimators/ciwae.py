"""A mixture of the ELBO and the importance-weighted bound."""

import dataclasses

from tfvae._checks import number
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
class CIWAE(Configured):
    """A mixture of two bounds on the same draws: elbo_weight ELBO + (1 - elbo_weight) importance-weighted bound.

    Args:
        num_importance_samples: K, number of draws of z.
        elbo_weight: The weight of the ELBO, from 0 (`ImportanceWeighted`) to 1 (the ELBO of K draws).
        chunk_size: Number of draws per example that are decoded at a time; see `ImportanceWeighted`.

    Raises:
        ValueError: If a count is below one or `elbo_weight` is outside [0, 1]; when called, if the posterior is not
            reparameterised.

    References:
        Rainforth et al., Tighter Variational Bounds are Not Necessarily Better, 2018, arXiv 1802.04537, equation 16.
    """

    num_importance_samples: int = 5
    elbo_weight: float = 0.5
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        self._check_counts("num_importance_samples")
        self._check_chunk_size()
        self._set(elbo_weight=number(self.elbo_weight, "elbo_weight", at_least=0, at_most=1))

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        require_reparameterized(problem.posterior, self)
        (seed_z,) = split_seed(seed, 1, "ciwae")
        shape = [self.num_importance_samples]
        draws = draw(problem, sample_shape=shape, seed=seed_z, chunk_size=self.chunk_size)  # [K, B]
        return Estimate(
            surrogate_loss=-self._mixed(draws.log_weights(beta)),
            bound=self._mixed(draws.log_weights()),
            log_likelihood=mean_over_draws(draws.log_likelihood),
            **reported_kl(problem, draws),
        )

    def _mixed(self, log_weights: Tensor) -> Tensor:
        return self.elbo_weight * mean_over_draws(log_weights) + (1.0 - self.elbo_weight) * log_mean_exp(log_weights)
