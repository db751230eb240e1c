"""Products of Householder reflections, orthogonal matrices that need not be formed."""

import tensorflow as tf

from tfvae.typing import Tensor


def orthonormal_columns(vectors: list[Tensor], y: Tensor, size: int) -> Tensor:
    """Computes Q y `[..., D]`, where Q is the first M columns of a product of reflections.

    Args:
        vectors: The vectors v of the reflections I - 2 v v^T / |v|^2, `[..., D]` each. Any set of M orthonormal columns
            is reached with M of them. A vector of zeros leaves its factor out.
        y: Coefficients `[..., M]` of the columns.
        size: Number of dimensions, D.
    """
    z = tf.pad(y, [[0, 0]] * (y.shape.rank - 1) + [[0, size - y.shape[-1]]])
    for v in reversed(vectors):
        z = _reflected(z, v)
    return z


def coefficients(vectors: list[Tensor], u: Tensor, num_columns: int) -> Tensor:
    """Computes Q^T u `[..., M]`; see `orthonormal_columns`."""
    for v in vectors:
        u = _reflected(u, v)
    return u[..., :num_columns]


def _reflected(u: Tensor, v: Tensor) -> Tensor:
    along = tf.reduce_sum(v * u, axis=-1, keepdims=True)
    return u - 2 * tf.math.divide_no_nan(along, tf.reduce_sum(v**2, axis=-1, keepdims=True)) * v
