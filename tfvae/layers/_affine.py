"""Distribution of an affine function of a random variable."""

from typing import Any

import tensorflow as tf

from tfvae.layers._same_shape import SameShape
from tfvae.typing import Distribution, Tensor


class Affine(SameShape):
    """Distribution of x = loc + scale * u, element by element, where u follows a continuous `distribution`.

    `tfd.TransformedDistribution` with shift and scale bijectors is similar, but has no mode or standard deviation, and
    its bijectors cache values by tensor.

    Args:
        distribution: Distribution of u.
        loc: Location, with the shape of the event. For events that are single numbers, it may have batch axes.
        scale: Positive scale, of the same shape.
    """

    def __init__(self, distribution: Distribution, loc: Tensor, scale: Tensor):
        self.shift = tf.convert_to_tensor(loc)
        self.factor = tf.convert_to_tensor(scale)
        super().__init__(distribution, distribution.name, loc=loc, scale=scale)

    def _log_factors(self) -> Tensor:
        event_axes = list(range(-self.event_shape.rank, 0))
        return tf.reduce_sum(tf.math.log(self.factor), axis=event_axes)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        return self.shift + self.factor * self.distribution.sample(n, seed=seed)

    def _log_prob(self, value: Tensor) -> Tensor:
        return self.distribution.log_prob((value - self.shift) / self.factor) - self._log_factors()

    def _entropy(self) -> Tensor:
        return self.distribution.entropy() + self._log_factors()

    def _mean(self) -> Tensor:
        return self.shift + self.factor * self.distribution.mean()

    def _mode(self) -> Tensor:
        return self.shift + self.factor * self.distribution.mode()

    def _stddev(self) -> Tensor:
        return self.factor * self.distribution.stddev()

    def _variance(self) -> Tensor:
        return tf.square(self._stddev())
