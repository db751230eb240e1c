"""Walks through latent space: along one dimension, and from one example to another."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tfvae._arrays import plain_array
from tfvae._checks import whole_number
from tfvae.evaluation._latents import decoded_means, posterior_means, require_vector
from tfvae.models import VAE
from tfvae.typing import Seed, TensorLike


class Traversal(NamedTuple):
    """What `latent_traversal` returns.

    Attributes:
        dimensions: which dimensions were moved, `[R]`.
        values: what each was set to, `[T]`.
        z: the latents `[R, T, D]`.
        means: E[x|z] `[R, T, *event]`.
    """

    dimensions: tuple[int, ...]
    values: np.ndarray
    z: np.ndarray
    means: np.ndarray


class Interpolation(NamedTuple):
    """What `interpolate` returns.

    Attributes:
        z: the latents `[B, T, D]`, from E[z|x_a] to E[z|x_b].
        means: E[x|z] `[B, T, *event]`.
    """

    z: np.ndarray
    means: np.ndarray


def latent_traversal(
    vae: VAE,
    x: TensorLike | None = None,
    dimensions: int | Sequence[int] | None = None,
    *,
    z: ArrayLike | None = None,
    values: ArrayLike | None = None,
    seed: Seed = 0,
) -> Traversal:
    """Sets one latent dimension after another to a row of values, the others held, and decodes.

    Args:
        vae: the model; z is a vector of floats.
        x: one example `[*event]`, whose E[z|x] is where to start; or give `z`.
        dimensions: which to move; None is all, in order.
        z: where to start, `[D]`, in place of `x`.
        values: what to set it to; None is 11 steps from -3 to 3, the span of a standard normal prior.
        seed: an int or an int32 tensor `[2]`; for posteriors that do not know their mean.

    Returns:
        `Traversal`.

    Raises:
        ValueError: for both or neither of x and z, dimensions that are not there, no values, shapes unlike the model's,
            or latents that are not a vector of floats.
    """
    latent_size = require_vector(vae, "latent_traversal")
    if (x is None) == (z is None):
        raise ValueError("A traversal starts from one example: give x, or its latents as z=, and not both.")
    start = _means(vae, plain_array(x)[np.newaxis], seed)[0] if z is None else np.asarray(z, np.float64)
    if start.shape != (latent_size,):
        raise ValueError(f"z is one vector of shape ({latent_size},). Received shape {start.shape}.")
    if not np.isfinite(start).all():
        raise ValueError(f"z is a vector of finite numbers. Received: {start}.")
    chosen = range(latent_size) if dimensions is None else np.atleast_1d(np.asarray(dimensions)).tolist()
    if not len(chosen) or not all(isinstance(d, int) and 0 <= d < latent_size for d in chosen):
        raise ValueError(f"dimensions are whole numbers from 0 to {latent_size - 1}. Received: {dimensions!r}.")
    steps = np.linspace(-3.0, 3.0, 11) if values is None else np.atleast_1d(np.asarray(values, np.float64))
    if steps.ndim != 1 or not steps.size or not np.isfinite(steps).all():
        raise ValueError(f"values are finite numbers, at least one. Received: {values!r}.")
    latents = np.tile(start, (len(chosen), len(steps), 1))
    for row, dimension in enumerate(chosen):
        latents[row, :, dimension] = steps
    return Traversal(tuple(chosen), steps, latents, decoded_means(vae, latents))


def interpolate(vae: VAE, x_a: TensorLike, x_b: TensorLike, num_steps: int = 10, *, seed: Seed = 0) -> Interpolation:
    """Decodes along the straight line from E[z|x_a] to E[z|x_b], both ends included.

    Args:
        vae: the model; z is a vector of floats.
        x_a: examples `[B, *event]`.
        x_b: as many others.
        num_steps: T, points on each line, at least 2.
        seed: an int or an int32 tensor `[2]`; for posteriors that do not know their mean.

    Returns:
        `Interpolation`.

    Raises:
        ValueError: for fewer than two steps, batches of unequal shapes, or latents that are not a vector of floats.
    """
    require_vector(vae, "interpolate")
    num_steps = whole_number(num_steps, "num_steps", at_least=2)
    if np.shape(x_a) != np.shape(x_b):
        raise ValueError(
            f"Each x_a goes with an x_b, in batches of one shape. Received: {np.shape(x_a)} and {np.shape(x_b)}."
        )
    from_z, to_z = (_means(vae, x, seed)[:, np.newaxis].astype(np.float64) for x in (x_a, x_b))
    share = np.linspace(0.0, 1.0, num_steps)[:, np.newaxis]
    z = (1.0 - share) * from_z + share * to_z
    return Interpolation(z, decoded_means(vae, z))


def _means(vae: VAE, x: Any, seed: Seed) -> np.ndarray:
    return posterior_means(vae, x, num_samples=100, batch_size=100, seed=seed)
