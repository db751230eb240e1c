"""Sylvester transform of a normalizing flow."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._numerics import softplus_inverse, softplus_scale
from tfvae._serialization import register
from tfvae.flows._constraints import above_minus_one
from tfvae.flows._reflections import coefficients, orthonormal_columns
from tfvae.flows._roots import root_of_bend
from tfvae.flows.transform import Transform
from tfvae.typing import Tensor

# The raw parameter of a diagonal element of R~ that is one.
_RAW_ONE = float(softplus_inverse(1.0))


@register
class Sylvester(Transform):
    """Sylvester transform z = u + Q R tanh(R~ Q^T u + b), which changes M directions together.

    It generalises `Planar`, which is the case M = 1. Q has M orthonormal columns, R and R~ are upper triangular. One
    transform with M directions does more than M planar ones at a similar cost. The density of values other than its
    own draws takes M roots, one after the other.

    Args:
        num_vectors: Number of directions M, at most D.
        num_reflections: Number of Householder reflections H whose product makes Q. With M of them, the default, every
            basis can be reached. With D vectors and fewer reflections, this is the Householder flow of the paper. With
            0, Q selects the first M coordinates.
        **kwargs: See `Transform`.

    Raises:
        ValueError: If `num_vectors` is below 1, or `num_reflections` below 0; when used, if `num_vectors` is above D.

    Numerics:
        Q is the first M columns of a product of H reflections I - 2 v v^T / |v|^2, with v_k = raw + e_k. Its columns
        are orthonormal to rounding. (The paper orthogonalises a matrix by an iteration, which need not converge.) Q is
        never formed: a product with it takes 2 H D multiplications. The map can be inverted if r_i r~_i > -1 for the
        diagonals. tanh is odd, so r~_i = softplus(raw) excludes nothing. Then r_i = m(raw r~_i) / r~_i, with m as in
        `Planar`. With raw parameters of zero, R = 0 and R~ = I: the transform is the identity, exactly, and can be
        trained. The log-determinant is sum_i log(1 + r_i r~_i tanh'(.)). The inverse finds the elements of Q^T u from
        the last to the first.

    References:
        van den Berg, Hasenclever, Tomczak & Welling, Sylvester Normalizing Flows for Variational Inference, 2018, arXiv
        1803.05649, equations 9 to 14 and section 4.
    """

    def __init__(self, num_vectors: int = 4, num_reflections: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_vectors = whole_number(num_vectors, "num_vectors")
        self.num_reflections = num_reflections
        self._num_reflections = (
            self.num_vectors
            if num_reflections is None
            else whole_number(num_reflections, "num_reflections", at_least=0)
        )

    def params_size(self, event_size: int) -> int:
        m = self.num_vectors
        if m > event_size:
            raise ValueError(
                f"`num_vectors` must be at most the number of dimensions, {event_size}. Received: num_vectors={m}"
            )
        return self._num_reflections * event_size + m * (m + 2)

    def forward(self, u: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        vectors, r, inner, b = self._constrained(parameters, u.shape[-1])
        bend = tf.tanh(inner.times(coefficients(vectors, u, self.num_vectors)) + b)  # [..., M]
        z = u + orthonormal_columns(vectors, r.times(bend), u.shape[-1])
        return z, _log_det(r, inner, bend)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        vectors, r, inner, b = self._constrained(parameters, z.shape[-1])
        bend = _solved(r, inner, b, coefficients(vectors, z, self.num_vectors))
        u = z - orthonormal_columns(vectors, r.times(bend), z.shape[-1])
        return u, _log_det(r, inner, bend)

    def _constrained(self, parameters: Tensor, size: int) -> tuple[list[Tensor], "_Triangle", "_Triangle", Tensor]:
        """Returns the vectors of the reflections `[..., D]`, R, R~ and b `[..., M]`."""
        h, m = self._num_reflections, self.num_vectors
        *of_vectors, square, raw_inner, b = tf.split(parameters, [size] * h + [m * m, m, m], axis=-1)
        vectors = [raw + tf.one_hot(k % size, size, dtype=raw.dtype) for k, raw in enumerate(of_vectors)]
        square = tf.reshape(square, tf.concat([tf.shape(square)[:-1], [m, m]], axis=0))  # [..., M, M]
        above = tf.constant(np.triu(np.ones([m, m]), 1), square.dtype)
        of_inner = softplus_scale(raw_inner + _RAW_ONE)
        raw = tf.linalg.diag_part(square)
        a = raw * of_inner
        of_r = raw + (above_minus_one(a) - a) / of_inner
        # One half of the square holds R, the other one R~.
        below = tf.linalg.matrix_transpose(square)
        return vectors, _Triangle(of_r, square * above), _Triangle(of_inner, below * above), b

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_vectors": self.num_vectors, "num_reflections": self.num_reflections}


class _Triangle(NamedTuple):
    """Upper triangular matrix.

    Attributes:
        diagonal: `[..., M]`.
        above: The elements above the diagonal, zero elsewhere `[..., M, M]`.
    """

    diagonal: Tensor
    above: Tensor

    def times(self, y: Tensor) -> Tensor:
        return self.diagonal * y + tf.linalg.matvec(self.above, y)


def _log_det(r: _Triangle, inner: _Triangle, bend: Tensor) -> Tensor:
    return tf.reduce_sum(tf.math.log1p(r.diagonal * inner.diagonal * (1 - bend**2)), axis=-1)


def _solved(r: _Triangle, inner: _Triangle, b: Tensor, along: Tensor) -> Tensor:
    """Returns tanh(R~ a + b) `[..., M]` for the a with a + R tanh(R~ a + b) = `along`, from the last element of a."""
    roots: list[Tensor] = []  # a_j for j > i
    bends: list[Tensor] = []
    for i in reversed(range(along.shape[-1])):
        slope, shift = inner.diagonal[..., i], b[..., i] + _dot(inner.above[..., i, i + 1 :], roots)
        target = along[..., i] - _dot(r.above[..., i, i + 1 :], bends)
        root = root_of_bend(r.diagonal[..., i], slope, shift, target)
        roots.insert(0, root)
        bends.insert(0, tf.tanh(slope * root + shift))
    return tf.stack(bends, axis=-1)


def _dot(row: Tensor, values: list[Tensor]) -> Tensor | float:
    return tf.reduce_sum(row * tf.stack(values, axis=-1), axis=-1) if values else 0.0
