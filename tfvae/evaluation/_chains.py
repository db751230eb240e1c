"""What Markov chains over z need: a space without constraints, and how far a first step may go."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfvae.typing import Distribution, Tensor

NUM_DRAWS = 20  # that `spread_of` is good for


def support_of(prior: Distribution) -> Any:
    """The bijector from numbers without constraints to z.

    Raises:
        ValueError: for discrete latents.
    """
    bijector = prior.experimental_default_event_space_bijector()
    if bijector is None:
        raise ValueError(
            f"Hamiltonian Monte Carlo needs continuous latents. This model's prior is {prior!r}. Take log_marginal, or "
            "sum over the states of z."
        )
    return bijector


def unconstrained(log_prob: Callable[[Tensor], Tensor], support: Any) -> Callable[[Tensor], Tensor]:
    """From the log density of z to that of u `[..., D]` with z = support(u)."""
    return lambda u: log_prob(support.forward(u)) + support.forward_log_det_jacobian(u, event_ndims=1)


def spread_of(draws: Tensor) -> Tensor:
    """The mean standard deviation over the dimensions of draws `[S, B, D]`, free of constraints: `[1, B, 1]`."""
    return tf.reduce_mean(tf.math.reduce_std(draws, axis=0), axis=-1)[tf.newaxis, :, tf.newaxis]
