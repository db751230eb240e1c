"""KL divergence of each latent dimension."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._kl import INDEPENDENT, SAMPLE, exact_kl_or_none
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

_DIAGONAL = (tf.linalg.LinearOperatorDiag, tf.linalg.LinearOperatorIdentity, tf.linalg.LinearOperatorScaledIdentity)


class DimensionKL(NamedTuple):
    """Result of `kl_per_dimension`: KL(q(z_d|x) || p(z_d)) for each d, or a function that estimates it.

    Attributes:
        exact: The closed form `[B, D]`, or None.
        estimate: Function from a draw z `[B, D]` to log q(z_d|x) - log p(z_d) `[B, D]`, if there is no closed form;
            else None.
        note: Description of the numbers, or the reason why there are none.
    """

    exact: Tensor | None
    estimate: Callable[[Tensor], Tensor] | None
    note: str


def is_vector(distribution: Distribution) -> bool:
    """Whether z is a vector of floating-point numbers, `[..., D]`."""
    shape, dtype = distribution.event_shape, distribution.dtype
    return isinstance(shape, tf.TensorShape) and shape.rank == 1 and isinstance(dtype, tf.DType) and dtype.is_floating


def kl_per_dimension(posterior: Distribution, prior: Distribution) -> DimensionKL:
    """Returns KL(q(z_d|x) || p(z_d)) of the marginals in closed form or as an estimator, if the marginals are known."""
    if not (is_vector(posterior) and is_vector(prior)):
        return DimensionKL(None, None, "z is not a vector of floating-point numbers")
    (q, q_factorises), (p, p_factorises) = _marginals(posterior), _marginals(prior)
    if q is None or p is None:
        unknown = f"q(z|x), a {type(posterior).__name__}" if q is None else f"p(z), a {type(prior).__name__}"
        return DimensionKL(None, None, f"the marginals of {unknown}, are unknown")
    note = "the sum over dimensions is the KL"
    if not p_factorises:
        note = "of the marginals; the dimensions of p(z) are dependent, so the sum is not the KL"
    elif not q_factorises:
        note = "of the marginals; q(z|x) is correlated, so the sum is smaller than the KL by its total correlation"
    exact = exact_kl_or_none(q, p)
    if exact is not None:
        return DimensionKL(exact, None, f"closed form; {note}")
    return DimensionKL(None, lambda z: q.log_prob(z) - p.log_prob(z), f"Monte Carlo; {note}")


def has_diagonal_scale(normal: Any) -> bool:
    """Whether the scale of a `MultivariateNormalLinearOperator` is diagonal, so its dimensions are independent."""
    return isinstance(normal.scale, _DIAGONAL)


def _marginals(distribution: Distribution) -> tuple[Distribution | None, bool]:
    """Returns the marginals of the dimensions, and whether the dimensions are independent.

    The marginals have batch shape `[..., D]`, or a shape that broadcasts to it. They are None if unknown.
    """
    if isinstance(distribution, tfd.MultivariateNormalLinearOperator):
        return tfd.Normal(distribution.mean(), distribution.stddev()), has_diagonal_scale(distribution)
    if isinstance(distribution, INDEPENDENT) and distribution.distribution.event_shape.rank == 0:
        return distribution.distribution, True
    if isinstance(distribution, SAMPLE):
        inner = distribution.distribution
        if inner.event_shape.rank == 0 and inner.batch_shape.rank == 0:
            return inner, True
    return None, False
