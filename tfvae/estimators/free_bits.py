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
    """Leaves each latent dimension some nats for free: the penalty is beta sum_d max(nats, KL_d).

    KL_d is the batch's mean KL of dimension d. Below the threshold a dimension has no gradient that would empty it, so
    that a strong decoder does not drive the posterior onto the prior early in training. Dimensions are told apart where
    posterior and prior factorise and the exact KL of their parts is known (diagonal normals, `tfd.Independent`),
    whichever KL the estimator reports; elsewhere the threshold is on the KL as a whole, and `nats` should be that of
    all dimensions together.

    Args:
        nats: the threshold, at least 0; of one dimension where they are told apart.
        beta: the first value of `vae.beta`.

    Raises:
        ValueError: for a negative or non-finite number.

    Numerics:
        The mean is that of the batch a replica sees, and does not know of sample weights.

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
        """What the surrogate loss adds for each example `[B]`; see `KLWeighting`."""
        parts = kl_per_factor(problem.posterior, problem.prior)  # [B, *parts]
        if parts is None:
            return beta * mean_above(terms.kl, self.nats)
        return beta * tf.reduce_sum(mean_above(parts, self.nats), axis=list(range(1, parts.shape.rank)))
