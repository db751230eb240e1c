"""The path derivative of the ELBO, whose variance vanishes as q approaches the posterior."""

import dataclasses

from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._latents import require_reparameterized
from tfvae.estimators.draws import draw_split, mean_over_draws, reported_kl
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class StickingTheLanding(Configured):
    """The ELBO of estimator A, differentiated for the encoder along z only, without the score term.

    The derivative of log w = log p(x, z) - log q(z|x) by the encoder's weights is the sum of a path derivative, through
    z = g(eps, x), and the score d log q(z|x) at fixed z. The score has expectation zero, so the gradient stays unbiased
    without it, and what remains is zero for every draw if q(z|x) is the exact posterior. Prefer it to `SGVB` for
    posteriors that are rich enough to come close to that.

    Args:
        num_samples: S, number of draws of z per example.

    Raises:
        ValueError: If `num_samples` is below one; when called, if the posterior is not reparameterised.

    References:
        Roeder, Wu & Duvenaud, Sticking the Landing, 2017, arXiv 1703.09194, equation 8.
    """

    num_samples: int = 1

    def __post_init__(self) -> None:
        self._check_counts("num_samples")

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        require_reparameterized(problem.posterior, self)
        (seed_z,) = split_seed(seed, 1, "sticking_the_landing")
        split = draw_split(problem, sample_shape=[self.num_samples], beta=beta, seed=seed_z)  # [S, B]
        return Estimate(
            surrogate_loss=-mean_over_draws(split.model + split.path),
            bound=mean_over_draws(split.log_weights),
            log_likelihood=mean_over_draws(split.draws.log_likelihood),
            **reported_kl(problem, split.draws),
        )
