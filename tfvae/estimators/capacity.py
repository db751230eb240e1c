"""A capacity for the latent: a KL that is held at a value."""

import dataclasses

import tensorflow as tf

from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators.elbo_terms import ELBOTerms
from tfvae.estimators.problem import Problem
from tfvae.typing import Tensor


@register
@dataclasses.dataclass(frozen=True)
class Capacity(Configured):
    """Holds the KL of each example near a capacity: the penalty is gamma |KL - beta capacity|.

    A schedule that moves `vae.beta` from 0 to 1 raises the capacity from 0 to `capacity`: latents are taken into use
    one after another, the most useful first, and reconstructions end sharper than with a constant beta > 1.

    Args:
        capacity: C, the KL to end at, in nats, at least 0.
        gamma: the weight of the deviation, above 0; the paper has 1000.
        beta: the first value of `vae.beta`, the share of the capacity.

    Raises:
        ValueError: for a negative or non-finite number, or gamma = 0.

    Example:
        >>> vae = tfvae.models.VAE(encoder, decoder, beta=tfvae.estimators.Capacity(25.0, 1000.0))  # doctest: +SKIP
        >>> schedule = tfvae.callbacks.LinearWarmUp(num_steps=100_000)
        >>> vae.fit(train, callbacks=[tfvae.callbacks.BetaSchedule(schedule)])  # doctest: +SKIP

    References:
        Burgess et al., Understanding disentangling in beta-VAE, 2018, arXiv 1804.03599.
    """

    capacity: float
    gamma: float
    beta: float = 1.0

    def __post_init__(self) -> None:
        self._check_numbers("capacity", "gamma", "beta")
        if self.gamma == 0.0:
            raise ValueError("gamma is above 0: the KL would have no weight at all. Received: 0.")

    def penalty(self, terms: ELBOTerms, problem: Problem, *, beta: Tensor) -> Tensor:
        """What the surrogate loss adds for each example `[B]`; see `KLWeighting`."""
        return self.gamma * tf.abs(terms.kl - beta * self.capacity)
