"""The mean of several importance-weighted bounds."""

import dataclasses

from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._latents import require_reparameterized
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.importance_weighted import ImportanceWeighted
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class MIWAE(Configured):
    """The mean of M importance-weighted bounds of K draws each: the encoder's gradient is less noisy than with M K.

    A mean of bounds is a bound. More bounds reduce the noise of the gradient; more draws tighten the bound. This is
    `ImportanceWeighted(K, num_samples=M)` under the name of its paper.

    Args:
        num_bounds: M, number of bounds per example.
        num_importance_samples: K, number of draws of z in each bound.
        chunk_size: Number of draws per example that are decoded at a time; see `ImportanceWeighted`.

    Raises:
        ValueError: If a count is below one; when called, if the posterior is not reparameterised.

    References:
        Rainforth et al., Tighter Variational Bounds are Not Necessarily Better, 2018, arXiv 1802.04537, section 4.
    """

    num_bounds: int = 8
    num_importance_samples: int = 8
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        self._check_counts("num_bounds", "num_importance_samples")
        self._check_chunk_size()

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        require_reparameterized(problem.posterior, self)
        estimator = ImportanceWeighted(self.num_importance_samples, self.num_bounds, self.chunk_size)
        return estimator(problem, beta=beta, seed=seed)
