"""Walks through latent space: along one dimension, and from one example to another."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tfvae._arrays import plain_array
from tfvae._checks import whole_number
from tfvae.data.examples import CONDITION
from tfvae.evaluation._latents import conditions_of, decoded_means, posterior_means, require_vector
from tfvae.evaluation._tangent import from_tangent, to_tangent
from tfvae.models import VAE
from tfvae.typing import Seed, TensorLike


class Traversal(NamedTuple):
    """Result of `latent_traversal`.

    Attributes:
        dimensions: The dimensions that were changed, `[R]`.
        values: The values of each dimension, `[T]`.
        z: The latents `[R, T, D]`.
        means: E[x|z] `[R, T, *event]`.
    """

    dimensions: tuple[int, ...]
    values: np.ndarray
    z: np.ndarray
    means: np.ndarray


class Interpolation(NamedTuple):
    """Result of `interpolate`.

    Attributes:
        z: The latents `[B, T, D]`, from E[z|x_a] to E[z|x_b].
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
    condition: TensorLike | None = None,
    seed: Seed = 0,
) -> Traversal:
    """Changes one latent dimension at a time over a range of values, with the others fixed, and decodes.

    Args:
        vae: The model; z is a vector of floats.
        x: One example `[*event]`, whose E[z|x] is the starting point; alternatively pass `z`.
        dimensions: The dimensions to change; None means all.
        z: The starting point `[D]`, instead of `x`.
        values: The values of the dimension; None means 11 values from -3 to 3, the range of a standard normal prior.
            For latents on the Poincare ball, they are coordinates of the tangent space at the origin.
        condition: The condition of x and of all decoded examples, for a conditional model.
        seed: An int or an int32 tensor `[2]`; for posteriors without a mean in closed form.

    Returns:
        `Traversal`.

    Raises:
        ValueError: If both or neither of `x` and `z` are given, dimensions do not exist, there are no values, shapes do
            not fit the model, or the latents are not a vector of floats.
    """
    latent_size = require_vector(vae, "latent_traversal")
    if (x is None) == (z is None):
        raise ValueError(
            "A traversal starts from one example. Pass either `x` or its latents as `z`. "
            f"Received: {'neither' if x is None else 'both'}"
        )
    start = _means(vae, plain_array(x)[np.newaxis], condition, seed)[0] if z is None else np.asarray(z, np.float64)
    if start.shape != (latent_size,):
        raise ValueError(f"`z` must be a vector of shape ({latent_size},). Received: z of shape {start.shape}")
    if not np.isfinite(start).all():
        raise ValueError(f"`z` must be finite. Received: z={start}")
    chosen = range(latent_size) if dimensions is None else np.atleast_1d(np.asarray(dimensions)).tolist()
    if not len(chosen) or not all(isinstance(d, int) and 0 <= d < latent_size for d in chosen):
        raise ValueError(
            f"`dimensions` must be integers from 0 to {latent_size - 1}. Received: dimensions={dimensions!r}"
        )
    steps = np.linspace(-3.0, 3.0, 11) if values is None else np.atleast_1d(np.asarray(values, np.float64))
    if steps.ndim != 1 or not steps.size or not np.isfinite(steps).all():
        raise ValueError(f"`values` must be finite numbers, at least one. Received: values={values!r}")
    latents = np.tile(to_tangent(vae, start), (len(chosen), len(steps), 1))
    for row, dimension in enumerate(chosen):
        latents[row, :, dimension] = steps
    latents = from_tangent(vae, latents)
    return Traversal(tuple(chosen), steps, latents, decoded_means(vae, latents, condition=condition))


def interpolate(
    vae: VAE,
    x_a: TensorLike,
    x_b: TensorLike,
    num_steps: int = 10,
    *,
    condition: TensorLike | None = None,
    seed: Seed = 0,
) -> Interpolation:
    """Decodes along the straight line from E[z|x_a] to E[z|x_b], both ends included.

    Args:
        vae: The model; z is a vector of floats.
        x_a: Examples `[B, *event]`.
        x_b: Examples `[B, *event]`.
        num_steps: T, number of points on each line, at least 2.
        condition: The condition of all examples, or one for each line `[B, *shape]`, for a conditional model.
        seed: An int or an int32 tensor `[2]`; for posteriors without a mean in closed form.

    Returns:
        `Interpolation`.

    Raises:
        ValueError: If there are fewer than two steps, the batches have different shapes, or the latents are not a
            vector of floats.
    """
    require_vector(vae, "interpolate")
    num_steps = whole_number(num_steps, "num_steps", at_least=2)
    if np.shape(x_a) != np.shape(x_b):
        raise ValueError(
            "`x_a` and `x_b` must have the same shape. "
            f"Received: x_a of shape {np.shape(x_a)}, x_b of shape {np.shape(x_b)}"
        )
    condition = conditions_of(vae, condition, len(x_a))
    from_z, to_z = (_means(vae, x, condition, seed)[:, np.newaxis].astype(np.float64) for x in (x_a, x_b))
    share = np.linspace(0.0, 1.0, num_steps)[:, np.newaxis]
    z = (1.0 - share) * from_z + share * to_z
    along = None if condition is None else np.repeat(condition, num_steps, axis=0)
    return Interpolation(z, decoded_means(vae, z, condition=along))


def _means(vae: VAE, x: Any, condition: Any, seed: Seed) -> np.ndarray:
    condition = conditions_of(vae, condition, len(x))
    data = x if condition is None else {"x": x, CONDITION: condition}
    return posterior_means(vae, data, num_samples=100, batch_size=100, seed=seed)
