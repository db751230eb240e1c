"""Likelihood of the observed values of an example."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._kl import INDEPENDENT
from tfvae.layers._affine import Affine
from tfvae.layers._batch_unflattened import BatchUnflattened
from tfvae.layers._same_shape import SameShape
from tfvae.layers._table_row import TableRow
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# Values in the support of most continuous and of most discrete likelihoods, which take the place of missing ones.
_CONTINUOUS_FILL, _DISCRETE_FILL = 0.5, 1.0


class Observed(SameShape):
    """Distribution of x with the density of the observed values, log p(x_obs|z) = sum of log p(x_i|z) over observed i.

    The values of an example must be independent given z, so that leaving out factors integrates over missing values.
    Draws and moments are those of all values.

    Args:
        distribution: p(x|z), of batch shape `[..., B]`.
        observed: Boolean tensor `[B, *event]`, False at missing values.

    Raises:
        ValueError: If the values of x are not independent given z, as far as the class of the distribution says.
    """

    def __init__(self, distribution: Distribution, observed: Tensor):
        if not is_factorized(distribution):
            raise ValueError(
                "Missing values need a likelihood whose values are independent given z, such as "
                "tfvae.layers.IndependentNormal or IndependentBernoulli, because log p(x|z) of the observed values is "
                f"then a sum over them. Received: likelihood={distribution!r}"
            )
        self.observed = observed
        super().__init__(distribution, "observed", observed=observed)

    def log_prob_of_each(self, value: Tensor) -> Tensor:
        """Returns the log density of each value `[..., B, *event]`, zero at missing values."""
        # Filled before the density, because the gradient of an infinite density would be NaN in spite of `where`.
        is_continuous = self.reparameterization_type == tfd.FULLY_REPARAMETERIZED
        fill = tf.cast(_CONTINUOUS_FILL if is_continuous else _DISCRETE_FILL, value.dtype)
        filled = tf.where(self.observed, value, fill)
        each = _log_prob_of_each(self.distribution, filled)  # [..., B, *event]
        return tf.where(self.observed, each, tf.zeros_like(each))

    def _log_prob(self, value: Tensor) -> Tensor:
        axes = list(range(-self.distribution.event_shape.rank, 0))
        return tf.reduce_sum(self.log_prob_of_each(value), axis=axes)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        return self.distribution.sample(n, seed=seed)

    def _mean(self) -> Tensor:
        return self.distribution.mean()

    def _mode(self) -> Tensor:
        return self.distribution.mode()

    def _stddev(self) -> Tensor:
        return self.distribution.stddev()

    def _variance(self) -> Tensor:
        return self.distribution.variance()


def is_factorized(distribution: Any) -> bool:
    """Whether the values of an event are independent, as far as the class of a distribution says."""
    if isinstance(distribution, BatchUnflattened):
        return is_factorized(distribution._flat)
    if isinstance(distribution, Affine):
        return is_factorized(distribution.distribution)
    if isinstance(distribution, INDEPENDENT):
        return bool(distribution.distribution.event_shape.num_elements() == 1)  # a gray pixel is an event of one value
    # TFP's multivariate normal of a diagonal scale is not a product in its form, but in its density.
    return isinstance(distribution, tfd.MultivariateNormalDiag | TableRow)


def log_prob_by_value(distribution: Any, value: Tensor) -> Tensor:
    """Returns the terms of log p(x|z) `[..., B, *event]`, whose sum over the event axes is `log_prob(value)`.

    Axes whose values depend on each other, such as the channels of a pixel, have length 1. If no values are known to be
    independent, all have.
    """
    if isinstance(distribution, Observed):
        return distribution.log_prob_of_each(value)
    if _is_product(distribution):
        return _log_prob_of_each(distribution, value)
    log_prob = distribution.log_prob(value)
    return tf.reshape(log_prob, tf.concat([tf.shape(log_prob), [1] * distribution.event_shape.rank], axis=0))


def _is_product(distribution: Any) -> bool:
    """Whether parts of an event, such as pixels, are independent, as far as the class of a distribution says."""
    if isinstance(distribution, BatchUnflattened):
        return _is_product(distribution._flat)
    return is_factorized(distribution) or isinstance(distribution, INDEPENDENT)


def _log_prob_of_each(distribution: Any, value: Tensor) -> Tensor:
    """Returns the log density of each value of events `[..., B, *event]`."""
    if isinstance(distribution, Affine):
        standardized = (value - distribution.shift) / distribution.factor
        return _log_prob_of_each(distribution.distribution, standardized) - tf.math.log(distribution.factor)
    if isinstance(distribution, BatchUnflattened):
        axes, event = distribution.batch_shape_tensor(), distribution.event_shape_tensor()
        full = tf.concat([axes, event], axis=0)
        flat = tf.reshape(tf.broadcast_to(value, full), tf.concat([[tf.reduce_prod(axes)], event], axis=0))
        each = _log_prob_of_each(distribution._flat, flat)
        return tf.reshape(each, tf.concat([axes, tf.shape(each)[1:]], axis=0))
    if isinstance(distribution, TableRow):
        return distribution.log_prob_by_column(value)
    if isinstance(distribution, tfd.MultivariateNormalDiag):
        return tfd.Normal(distribution.mean(), distribution.stddev()).log_prob(value)
    each = distribution.distribution.log_prob(value)
    for _ in range(distribution.distribution.event_shape.rank):  # axes of length 1
        each = each[..., tf.newaxis]
    return each
