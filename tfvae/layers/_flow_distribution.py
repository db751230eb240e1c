"""Distribution of a normalizing flow, with moments that are averages over fixed draws."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._dimensions import has_diagonal_scale
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# The class of `tfd.TransformedDistribution(...)` for bijectors that are no composite tensors. A subclass of the public
# class would have to be a composite tensor itself.
_TransformedDistribution: Any = tfp.distributions.TransformedDistribution.__mro__[1]

_NUM_PAIRS = 64


class FlowDistribution(_TransformedDistribution):
    """Transformed diagonal normal, or flow of one, with `mean`, `stddev` and `variance`, which have no closed form.

    They are averages over 128 fixed draws, the same for each example, so they do not depend on a seed and differ little
    between similar examples. Their error is about 0.09 standard deviations for the mean at most, and much less if the
    transforms bend the normal slightly: the draws come in pairs loc +- scale * eps with mean zero and variance one in
    each dimension, so both moments are exact for the normal itself.

    Args:
        distribution: Diagonal normal of batch shape `[...]`, or a `FlowDistribution`; see `has_fixed_draws`.
        bijector: Transform of vectors.
        **kwargs: See `tfd.TransformedDistribution`.
    """

    def _mean(self) -> Tensor:
        return tf.reduce_mean(self._fixed_draws(), axis=0)

    def _variance(self) -> Tensor:
        return tf.math.reduce_variance(self._fixed_draws(), axis=0)

    def _stddev(self) -> Tensor:
        return tf.sqrt(self._variance())

    def _fixed_draws(self) -> Tensor:
        """Returns 128 draws `[128, ..., D]`."""
        return self.bijector.forward(_fixed_draws(self.distribution))


def has_fixed_draws(distribution: Distribution) -> bool:
    """Whether a `FlowDistribution` can transform this distribution."""
    if isinstance(distribution, tfd.MultivariateNormalLinearOperator):
        return has_diagonal_scale(distribution)
    if isinstance(distribution, tfd.Independent):
        return isinstance(distribution.distribution, tfd.Normal) and distribution.event_shape.rank == 1
    return isinstance(distribution, FlowDistribution)


def _fixed_draws(base: Distribution) -> Tensor:
    """Returns 128 draws `[128, ..., D]` of a diagonal normal or of a flow."""
    if isinstance(base, FlowDistribution):
        return base._fixed_draws()
    loc, scale = base.mean(), base.stddev()
    eps = np.random.default_rng(0).normal(size=(_NUM_PAIRS, loc.shape[-1]))
    eps = np.concatenate([eps, -eps]) / np.sqrt(np.mean(eps**2, axis=0))
    eps = eps.reshape(2 * _NUM_PAIRS, *([1] * (loc.shape.rank - 1)), -1)
    return loc + scale * tf.constant(eps, loc.dtype)
