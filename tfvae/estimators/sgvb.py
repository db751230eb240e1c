"""Stochastic gradient variational Bayes: the two estimators of the AEVB paper."""

import dataclasses

from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._kl_kind import kl_kind
from tfvae.estimators._latents import require_reparameterized
from tfvae.estimators.elbo_terms import elbo_terms
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.kl_by_part import named_terms
from tfvae.estimators.kl_weighting import KLPenalty, penalty
from tfvae.estimators.problem import Problem
from tfvae.typing import KLKind, Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class SGVB(Configured):
    """The stochastic gradient variational Bayes estimator of the evidence lower bound.

    With z_s = g(eps_s, x) drawn from q(z|x) by reparameterisation, s = 1..S (the paper's L):

    * `kl="analytic"`, estimator B (equation 7): (1/S) sum_s log p(x|z_s) - KL(q(z|x) || p(z)), the KL in closed form;
      it usually has the lower variance of the two.
    * `kl="monte_carlo"`, estimator A (equation 6): (1/S) sum_s [log p(x, z_s) - log q(z_s|x)]; for any posterior and
      prior with a density.
    * `kl="auto"`, the default: "analytic" if a closed form is known, else "monte_carlo"; for each part of z by itself
      where `tfvae.layers.Joint` makes the posterior, see `kl_by_part`.

    Both have the same expectation, the ELBO, and differentiate with the pathwise gradient.

    Args:
        num_samples: S, number of draws of z per example; 1 is enough for batches of 100 (section 2.3).
        kl: "auto", "analytic" or "monte_carlo".

    Raises:
        ValueError: If `num_samples` is below one or `kl` is unknown; when called, if the posterior is not
            reparameterised.
        NotImplementedError: When called with `kl="analytic"`, if no closed form is known.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, section 2.3.
    """

    num_samples: int = 1
    kl: KLKind = "auto"

    def __post_init__(self) -> None:
        self._check_counts("num_samples")
        self._set(kl=kl_kind(self.kl))

    def __call__(self, problem: Problem, *, beta: KLPenalty | Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        require_reparameterized(problem.posterior, self)
        terms = elbo_terms(problem, num_samples=self.num_samples, kl=self.kl, seed=seed)
        return Estimate(
            surrogate_loss=penalty(beta, terms, problem) - terms.log_likelihood,
            bound=terms.log_likelihood - terms.kl,
            log_likelihood=terms.log_likelihood,
            kl=terms.kl,
            terms=named_terms(terms.kl_by_part),
        )
