"""What Markov chains over z need: a space without constraints, and how far a first step may go."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._dimensions import is_vector
from tfvae._kl import INDEPENDENT
from tfvae.evaluation._simplex import Simplex
from tfvae.typing import Distribution, Tensor

tfb, tfd = tfp.bijectors, tfp.distributions

NUM_DRAWS = 20  # that `spread_of` is good for

_SHARES = (tfd.Dirichlet, tfd.RelaxedOneHotCategorical)
# What TFP has for these reaches half of the sphere at best.
_SPHERES = (tfd.VonMisesFisher, tfd.SphericalUniform, tfd.PowerSpherical)


def support_of(prior: Distribution) -> Any:
    """The bijector from numbers without constraints to z.

    Raises:
        ValueError: where none is known, as for discrete latents.
    """
    bijector = _support(prior)
    if bijector is None:
        raise ValueError(
            "Hamiltonian Monte Carlo needs continuous latents, and a way to them from numbers without constraints. "
            f"None is known for this model's prior, {prior!r}. Take log_marginal, or sum over the states of a discrete "
            "z."
        )
    return bijector


def can_run_chains(prior: Distribution) -> bool:
    """Whether Markov chains over z can be had: z is one vector, and continuous."""
    return is_vector(prior) and _support(prior) is not None


def _support(distribution: Distribution) -> Any:
    """TFP's own bijector, and ours where it has none, or one that is not for integrals; None where nobody has one."""
    if isinstance(distribution, _SPHERES):
        return None
    if isinstance(distribution, _SHARES):
        return Simplex()
    if isinstance(distribution, tfd.ExpRelaxedOneHotCategorical):
        return tfb.Chain([tfb.Log(), Simplex()])
    if isinstance(distribution, tfd.MixtureSameFamily):
        found = _support(distribution.components_distribution)
        return found if found is not None and _is_the_same_for_all(found) else None
    if isinstance(distribution, tfd.Mixture):
        found = [_support(component) for component in distribution.components]
        return found[0] if all(isinstance(one, tfb.Identity) for one in found) else None
    if isinstance(distribution, INDEPENDENT):
        return _support(distribution.distribution)
    try:
        return distribution.experimental_default_event_space_bijector()
    except TypeError:  # what TFP 0.25 builds on SoftmaxCentered, under NumPy 2.4
        return None


def _is_the_same_for_all(bijector: Any) -> bool:
    """Whether the components of a mixture, a batch axis of the bijector where they differ, share their support."""
    return bijector.experimental_batch_shape(x_event_ndims=1).rank == 0


def unconstrained(log_prob: Callable[[Tensor], Tensor], support: Any) -> Callable[[Tensor], Tensor]:
    """From the log density of z to that of u `[..., D]` with z = support(u)."""
    return lambda u: log_prob(support.forward(u)) + support.forward_log_det_jacobian(u, event_ndims=1)


def spread_of(draws: Tensor) -> Tensor:
    """The mean standard deviation over the dimensions of draws `[S, B, D]`, free of constraints: `[1, B, 1]`."""
    return tf.reduce_mean(tf.math.reduce_std(draws, axis=0), axis=-1)[tf.newaxis, :, tf.newaxis]
