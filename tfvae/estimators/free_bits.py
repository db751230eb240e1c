"""Free bits: a KL that costs nothing below a threshold."""

import dataclasses

import tensorflow as tf

from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators.elbo_terms import ELBOTerms
from tfvae.estimators.kl_weighting import kl_per_factor, mean_above
from tfvae.estimators.problem import Problem
from tfvae.typing import Tensor


@register
@dataclasses.dataclass(frozen=True)
class FreeBits(Configured):
    """Gives each latent dimension some nats for free: the penalty is beta sum_d max(nats, KL_d).

    KL_d is the mean KL of dimension d over the batch. Below the threshold, no gradient pushes a dimension onto the
    prior, so that a strong decoder does not make the posterior collapse early in training. The threshold applies to
    each dimension where posterior and prior factorise and the exact KL of their factors is known (diagonal normals,
    `tfd.Independent`), whichever KL the estimator reports. For a posterior of `tfvae.layers.Joint` it applies to each
    part of z. Elsewhere it applies to the KL as a whole, and `nats` should be chosen for all dimensions together.

    Args:
        nats: The threshold, at least 0, of one dimension or part, or of all of them where the posterior does not
            factorise.
        beta: The initial value of `vae.beta`.

    Raises:
        ValueError: If a number is negative or not finite.

    Numerics:
        The mean is over the batch of one replica and ignores sample weights.

    Example:
        >>> vae = tfvae.models.VAE(encoder, decoder, beta=tfvae.estimators.FreeBits(0.1))  # doctest: +SKIP

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow, 2016, arXiv 1606.04934,
        appendix C.8.
    """

    nats: float
    beta: float = 1.0

    def __post_init__(self) -> None:
        self._check_numbers("nats", "beta")

    def penalty(self, terms: ELBOTerms, problem: Problem, *, beta: Tensor) -> Tensor:
        """Returns the KL's term in the surrogate loss `[B]`; see `KLWeighting`."""
        if terms.kl_by_part:
            return beta * tf.add_n([mean_above(kl, self.nats) for kl in terms.kl_by_part.values()])
        factors = kl_per_factor(problem.posterior, problem.prior)  # [B, *factors]
        if factors is None:
            return beta * mean_above(terms.kl, self.nats)
        return beta * tf.reduce_sum(mean_above(factors, self.nats), axis=list(range(1, factors.shape.rank)))
