"""Stochastic gradient variational Bayes: the paper's two estimators."""

import operator
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._kl import exact_kl, has_exact_kl
from tfvae._numerics import as_dtype
from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators.estimate import Estimate
from tfvae.typing import Distribution, KLKind, Seed, Tensor

tfd = tfp.distributions


@register
class SGVB:
    """The stochastic gradient variational Bayes estimator of the evidence lower bound.

    With z_s = g(eps_s, x) drawn from q(z|x) by reparameterisation, s = 1..S (the paper's L):

    * `kl="analytic"`, estimator B (equation 7): (1/S) sum_s log p(x|z_s) - KL(q(z|x) || p(z)), the KL in closed form;
      its variance is usually the lower of the two.
    * `kl="monte_carlo"`, estimator A (equation 6): (1/S) sum_s [log p(x, z_s) - log q(z_s|x)]; for any posterior and
      prior with a density.
    * `kl="auto"`, the default: "analytic" where a closed form is known, else "monte_carlo".

    Both have the same expectation, the ELBO, and differentiate with the pathwise gradient.

    Args:
        num_samples: S, draws of z for each data point; 1 suffices at batch sizes of 100 (section 2.3).
        kl: "auto", "analytic" or "monte_carlo".

    Raises:
        ValueError: for fewer than one sample or another `kl`.
        NotImplementedError: when called with "analytic" for distributions between which no closed form is known.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, section 2.3.
    """

    def __init__(self, num_samples: int = 1, kl: KLKind = "auto"):
        if isinstance(num_samples, bool) or not hasattr(num_samples, "__index__") or num_samples < 1:
            raise ValueError(f"num_samples is a whole number, at least 1. Received: {num_samples!r}.")
        if kl not in ("auto", "analytic", "monte_carlo"):
            raise ValueError(
                f"kl is 'auto', 'analytic' (estimator B) or 'monte_carlo' (estimator A). Received: {kl!r}."
            )
        self.num_samples = operator.index(num_samples)
        self.kl = kl

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
        """See `Estimator`."""
        (seed_z,) = split_seed(seed, 1, "sgvb")
        if self.kl == "analytic" or (self.kl == "auto" and has_exact_kl(posterior, prior)):
            z = posterior.sample(self.num_samples, seed=seed_z)  # [S, B, D]
            kl = self._analytic_kl(posterior, prior)  # [B]
        else:
            z, log_q = posterior.experimental_sample_and_log_prob(self.num_samples, seed=seed_z)
            kl = tf.reduce_mean(log_q - prior.log_prob(z), axis=0)  # [B]
        log_likelihood = tf.reduce_mean(generate(z).log_prob(x), axis=0)  # [B]
        return Estimate(
            surrogate_loss=as_dtype(beta, kl.dtype) * kl - log_likelihood,
            bound=log_likelihood - kl,
            log_likelihood=log_likelihood,
            kl=kl,
        )

    @staticmethod
    def _analytic_kl(posterior: Distribution, prior: Distribution) -> Tensor:
        try:
            return exact_kl(posterior, prior)
        except NotImplementedError as error:
            raise NotImplementedError(
                f"No closed form of KL(q || p) is known for q = {posterior!r} and p = {prior!r}. "
                "Use SGVB(kl='monte_carlo'), the paper's estimator A."
            ) from error

    def get_config(self) -> dict[str, Any]:
        return {"num_samples": self.num_samples, "kl": self.kl}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SGVB":
        return cls(**config)

    def __repr__(self) -> str:
        return f"SGVB(num_samples={self.num_samples}, kl={self.kl!r})"
