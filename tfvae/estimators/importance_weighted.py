"""The importance-weighted bound."""

import dataclasses

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
class ImportanceWeighted(Configured):
    """The importance-weighted bound E[log (1/K) sum_k w_k], w_k = p(x, z_k) / q(z_k|x): tighter as K grows.

    For K = 1 it is the ELBO; its distance to log p(x) falls like 1/K. The gradient goes through z and through all
    densities. The signal-to-noise ratio of the encoder's gradient falls like 1/sqrt(K); `DReG` avoids that at little
    extra cost.

    Args:
        num_importance_samples: K, number of draws of z in each bound.
        num_samples: S, number of independent bounds per example that are averaged.
        chunk_size: Number of draws per example that are decoded at a time, so that memory does not grow with K. The
            gradient runs the decoder again, in which random layers such as dropout draw different numbers. None decodes
            all draws at once.

    Raises:
        ValueError: If a count is below one; when called, if the posterior is not reparameterised.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, equations 8 and 13.
    """

    num_importance_samples: int = 5
    num_samples: int = 1
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        self._check_counts("num_importance_samples", "num_samples")
        self._check_chunk_size()

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        require_reparameterized(problem.posterior, self)
        (seed_z,) = split_seed(seed, 1, "importance_weighted")
        shape = [self.num_samples, self.num_importance_samples]
        draws = draw(problem, sample_shape=shape, seed=seed_z, chunk_size=self.chunk_size)  # [S, K, B]
        return Estimate(
            surrogate_loss=-mean_over_draws(log_mean_exp(draws.log_weights(beta), axis=1)),
            bound=mean_over_draws(log_mean_exp(draws.log_weights(), axis=1)),
            log_likelihood=mean_over_draws(draws.log_likelihood),
            **reported_kl(problem, draws),
        )
