"""Hamiltonian dynamics by leapfrog steps with tempering, a deterministic and invertible map of (z, rho)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from tfvae.estimators.problem import Problem
from tfvae.typing import Tensor


class Slope(NamedTuple):
    """The potential U(z) = -log p(x, z) of latents `[..., B, *event]`.

    Attributes:
        gradient: dU(z)/dz `[..., B, *event]`.
        log_likelihood: log p(x|z) `[..., B]`.
        log_prior: log p(z) `[..., B]`.
    """

    gradient: Tensor
    log_likelihood: Tensor
    log_prior: Tensor


SlopeFunction: TypeAlias = Callable[[Tensor], Slope]


def slope_of(problem: Problem) -> SlopeFunction:
    """Returns the function from latents to the slope of their potential, which has a gradient too."""

    def slope(z: Tensor) -> Slope:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(z)
            log_likelihood, log_prior = problem.generate(z).log_prob(problem.x), problem.prior.log_prob(z)
            potential = -(log_likelihood + log_prior)
        return Slope(tape.gradient(potential, z), log_likelihood, log_prior)

    return slope


def evolved(
    z: Tensor, rho: Tensor, slope: SlopeFunction, *, step_size: Tensor, factors: Sequence[Any]
) -> tuple[Tensor, Tensor, Slope]:
    """Moves a position and its momentum by K leapfrog steps, each followed by tempering.

    Step k is

        rho' = rho - step_size/2 dU(z)/dz,   z = z + step_size rho',   rho = alpha_k (rho' - step_size/2 dU(z)/dz).

    Each leapfrog assignment changes one variable by a function of the other, so its determinant is 1. The determinant
    of the whole map is therefore prod_k alpha_k^D. The slope at the end of a step is that at the beginning of the next
    one, so K steps take K + 1 slopes.

    Args:
        z: Position `[..., *event]`.
        rho: Momentum of the same shape.
        slope: The potential.
        step_size: Step size of each element `[*event]`.
        factors: The K factors alpha_k, scalars.

    Returns:
        z and rho after K steps, and the slope there.

    References:
        Caterini, Doucet & Sejdinovic, Hamiltonian Variational Auto-Encoder, 2018, arXiv 1805.11328, algorithm 1.
    """
    half = 0.5 * step_size
    at = slope(z)
    for factor in factors:
        rho = rho - half * at.gradient
        z = z + step_size * rho
        at = slope(z)
        rho = factor * (rho - half * at.gradient)
    return z, rho, at


def retraced(
    z: Tensor, rho: Tensor, slope: SlopeFunction, *, step_size: Tensor, factors: Sequence[Any]
) -> tuple[Tensor, Tensor]:
    """Returns the position and momentum that `evolved` moves to z and rho: the same steps in reverse order."""
    half = 0.5 * step_size
    at = slope(z)
    for factor in reversed(factors):
        rho = rho / factor + half * at.gradient
        z = z - step_size * rho
        at = slope(z)
        rho = rho + half * at.gradient
    return z, rho
