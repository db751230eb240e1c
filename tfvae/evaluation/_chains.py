"""Unconstrained spaces and first step sizes for Markov chains over z."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._dimensions import is_vector
from tfvae._kl import INDEPENDENT
from tfvae.estimators import Problem
from tfvae.evaluation._simplex import Simplex
from tfvae.layers._log_likelihood import differentiated_log_likelihood
from tfvae.typing import Distribution, Tensor

tfb, tfd = tfp.bijectors, tfp.distributions

NUM_DRAWS = 20  # enough for `spread_of`

_SHARES = (tfd.Dirichlet, tfd.RelaxedOneHotCategorical)
# The class of mixtures whose components are no composite tensors, and a base of all.
_MIXTURE = tfd.MixtureSameFamily.__bases__[0]
# TFP's bijectors for these reach half of the sphere at best.
_SPHERES = (tfd.VonMisesFisher, tfd.SphericalUniform, tfd.PowerSpherical)


def support_of(prior: Distribution) -> Any:
    """Returns the bijector from unconstrained numbers to z.

    Raises:
        ValueError: If none is known, as for discrete latents.
    """
    bijector = _support(prior)
    if bijector is None:
        raise ValueError(
            "Hamiltonian Monte Carlo needs continuous latents and a bijector to them from unconstrained numbers. None "
            "is known for this model's prior. Use log_marginal, or sum over the states of a discrete z. "
            f"Received: prior={prior!r}"
        )
    return bijector


def can_run_chains(prior: Distribution) -> bool:
    """Returns whether Markov chains over z can be run, which takes one continuous vector."""
    return is_vector(prior) and _support(prior) is not None


def _support(distribution: Distribution) -> Any:
    """Returns TFP's bijector, or ours if TFP's is missing or does not preserve integrals; None if none is known."""
    if isinstance(distribution, _SPHERES):
        return None
    if isinstance(distribution, _SHARES):
        return Simplex()
    if isinstance(distribution, tfd.ExpRelaxedOneHotCategorical):
        return tfb.Chain([tfb.Log(), Simplex()])
    if isinstance(distribution, _MIXTURE):
        found = _support(distribution.components_distribution)
        return found if found is not None and _is_shared_by_components(found) else None
    if isinstance(distribution, tfd.Mixture):
        found = [_support(component) for component in distribution.components]
        return found[0] if all(isinstance(one, tfb.Identity) for one in found) else None
    if isinstance(distribution, INDEPENDENT):
        return _support(distribution.distribution)
    try:
        return distribution.experimental_default_event_space_bijector()
    except TypeError:  # what TFP 0.25 builds on SoftmaxCentered, under NumPy 2.4
        return None


def _is_shared_by_components(bijector: Any) -> bool:
    """Returns whether a mixture's components, a batch axis of the bijector if they differ, share a support."""
    return bijector.experimental_batch_shape(x_event_ndims=1).rank == 0


def unconstrained(log_prob: Callable[[Tensor], Tensor], support: Any) -> Callable[[Tensor], Tensor]:
    """Converts the log density of z into that of u `[..., D]`, with z = support(u)."""
    return lambda u: log_prob(support.forward(u)) + support.forward_log_det_jacobian(u, event_ndims=1)


def log_likelihood_of(problem: Problem) -> Callable[[Tensor], Tensor]:
    """Returns the function from z `[C, B, D]` to log p(x|z) `[C, B]`, which is traced once wherever chains need it."""

    @tf.function(autograph=False, reduce_retracing=True)
    def log_likelihood(z: Tensor) -> Tensor:
        return differentiated_log_likelihood(problem.generate(z), problem.x)

    return log_likelihood


def spread_of(draws: Tensor) -> Tensor:
    """Computes the standard deviation of unconstrained draws `[S, B, D]`, averaged over dimensions: `[1, B, 1]`."""
    return tf.reduce_mean(tf.math.reduce_std(draws, axis=0), axis=-1)[tf.newaxis, :, tf.newaxis]
