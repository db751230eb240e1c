"""A penalty that keeps the KL near a target value."""

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
    """Keeps the KL of each example near a capacity: the penalty is gamma |KL - beta capacity|.

    A schedule that moves `vae.beta` from 0 to 1 raises the capacity from 0 to `capacity`: the model starts to use its
    latents one by one, the most useful first, and ends with sharper reconstructions than under a constant beta > 1.

    Args:
        capacity: C, the final target of the KL, in nats; at least 0.
        gamma: The weight of the deviation, above 0; the paper uses 1000.
        beta: The initial value of `vae.beta`, the fraction of the capacity that is the present target.

    Raises:
        ValueError: If a number is negative or not finite, or `gamma` is 0.

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
            raise ValueError(f"`gamma` must be above 0, or the KL would have no weight. Received: gamma={self.gamma!r}")

    def penalty(self, terms: ELBOTerms, problem: Problem, *, beta: Tensor) -> Tensor:
        """Returns the KL's term in the surrogate loss `[B]`; see `KLWeighting`."""
        return self.gamma * tf.abs(terms.kl - beta * self.capacity)
