"""Mixture of logistic distributions on an interval."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers._codes import Codes
from tfvae.layers._reduced import largest_over, log_sum_exp_over, sum_over
from tfvae.layers._truncated_logistic import TruncatedLogistic
from tfvae.typing import Tensor

tfd = tfp.distributions

# Scale of the wide distribution. The standard deviation of a logistic distribution with scale 1 is pi / sqrt(3).
_WIDE_SCALE = math.sqrt(3.0) / math.pi
# Nodes and weights of the expectation of a function: Gauss & Legendre, on (0, 1).
_NODES, _WEIGHTS = (values / 2 for values in np.polynomial.legendre.leggauss(12))


class LogisticMixture(tfp.distributions.Distribution):
    """Mixture of logistic distributions on an interval, and a small share of a wide one for numbers beyond it.

        p(v) = (1 - w) sum_k pi_k f_k(v) + w g(v)

    Each f_k is a `TruncatedLogistic` on the interval, and g is the logistic distribution with mean 0 and standard
    deviation 1. Draws are then within the interval but for a share w, and every number has a density.

    Args:
        logits: Logits of pi, `[K, ...]`, before the axes of the batch.
        loc: Locations of the components, `[K, ...]`.
        scale: Positive scales of the components, `[K, ...]`.
        low: Lower end of the interval, with the shape of the batch, or without its first axes.
        high: Upper end of the interval, likewise.
        wide_share: The share w, likewise. If it is 0, all numbers must be in the interval.

    Numerics:
        With f_k = exp(e_k) r_k, the logarithm of the sum over k is taken once, of exp(a_k + e_k - m) r_k for the
        logits a_k of pi and the largest exponent m.
    """

    def __init__(self, logits: Tensor, loc: Tensor, scale: Tensor, low: Tensor, high: Tensor, wide_share: np.ndarray):
        self.logits = tf.convert_to_tensor(logits)
        self.components = TruncatedLogistic(loc, scale, low, high)
        self.low, self.high, self.wide_share = low, high, np.asarray(wide_share)
        super().__init__(
            dtype=self.components.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={
                "logits": logits, "loc": loc, "scale": scale, "low": low, "high": high, "wide_share": wide_share,
            },
            name="LogisticMixture",
        )  # fmt: skip

    def _batch_shape(self) -> tf.TensorShape:
        return self.components.batch_shape[1:]

    def _batch_shape_tensor(self, **_: Any) -> Tensor:
        return self.components.batch_shape_tensor()[1:]

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> Tensor:
        return tf.constant([], tf.int32)

    def _log_prob(self, v: Tensor) -> Tensor:
        inside = tf.clip_by_value(v, self.low, self.high)
        log_prob = self._over_components(*self.components.density(self._for_components(inside)))
        return self._with_wide(log_prob, _wide(self.dtype).log_prob(v), tf.equal(inside, v))

    def log_probability(self, low: Tensor, high: Tensor, width: Tensor, *, is_first: Tensor) -> Tensor:
        """Returns the log probability of intervals that do not cross the ends of the interval of this distribution.

        Args:
            low: Lower ends.
            high: Upper ends.
            width: high - low, which may be more precise than the difference of the two.
            is_first: Where there is no smaller number, so that the wide distribution has no mass below `high` but that
                of the interval.
        """
        middle = (low + high) / 2
        ends = (tf.clip_by_value(end, self.low, self.high) for end in (low, high))
        interval = (self._for_components(values) for values in (*ends, width))
        log_prob = self._over_components(*self.components.probability(*interval))
        lower, upper = low / _WIDE_SCALE, high / _WIDE_SCALE
        below = tf.math.log_sigmoid(upper)
        between = below + tf.math.log_sigmoid(-lower) + tf.math.log(-tf.math.expm1(-width / _WIDE_SCALE))
        is_inside = (middle > self.low) & (middle < self.high)
        return self._with_wide(log_prob, tf.where(is_first, below, between), is_inside)

    @property
    def _axis(self) -> int:
        """The axis of the components, from the last one."""
        return -self.logits.shape.rank

    def _for_components(self, values: Tensor) -> Tensor:
        return tf.expand_dims(values, self._axis)

    def _log_normalizer(self) -> Tensor:
        return log_sum_exp_over(self.logits, self._axis)

    def _over_components(self, exponents: Tensor, factors: Tensor) -> Tensor:
        exponents += self.logits
        largest = largest_over(exponents, self._axis)
        total = sum_over(tf.exp(exponents - self._for_components(largest)) * factors, self._axis)
        return tf.math.log(total) + largest - self._log_normalizer()

    def _with_wide(self, log_prob: Tensor, wide: Tensor, is_inside: Tensor) -> Tensor:
        share = self.wide_share
        with np.errstate(divide="ignore"):
            log_wide = wide + tf.constant(np.log(share), self.dtype)
        log_prob += tf.constant(np.log1p(-share), self.dtype)
        both = log_prob + tf.nn.softplus(log_wide - log_prob)
        return tf.where(is_inside | (share == 0), both, log_wide)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        seeds = tf.unstack(tfp.random.split_seed(seed, n=4, salt="logistic_mixture"), num=4)
        chosen = Codes(self.logits).sample(n, seed=seeds[0])
        draws = self._of_component(self.components.sample(n, seed=seeds[1]), chosen)
        u = tf.random.stateless_uniform(tf.shape(draws), seeds[2], dtype=self.dtype, alg="philox")
        wide = _wide(self.dtype).sample(tf.shape(draws), seed=seeds[3])
        return tf.where(u < tf.constant(self.wide_share, self.dtype), wide, draws)

    def _of_component(self, values: Tensor, chosen: Tensor) -> Tensor:
        places = tf.reshape(tf.range(values.shape[self._axis], dtype=chosen.dtype), [-1, *[1] * (-self._axis - 1)])
        is_chosen = tf.equal(self._for_components(chosen), places)
        return tf.reduce_sum(tf.where(is_chosen, values, tf.zeros_like(values)), axis=self._axis)

    def mean_of(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Returns the mean of a function of v, which takes values `[K, ...]`, without the share of the wide part."""
        mean = tf.zeros_like(self.logits)
        for node, weight in zip(_NODES + 0.5, _WEIGHTS, strict=True):
            u = tf.constant(node, self.dtype)
            mean += tf.constant(weight, self.dtype) * function(self.components.quantile(u))
        return tf.reduce_sum(self._weights() * mean, axis=0)

    def _weights(self) -> Tensor:
        return tf.exp(self.logits - self._log_normalizer())

    def _mean(self) -> Tensor:
        return tf.reduce_sum(self._weights() * self.components.mean(), axis=0)

    def _mode(self) -> Tensor:
        """Returns the mode of the component with the highest peak."""
        heights = self.logits - tf.math.log(self.components.scale)
        return self._of_component(self.components.mode(), Codes(heights).mode())


def _wide(dtype: tf.DType) -> Any:
    """Returns the wide distribution."""
    return tfd.Logistic(tf.zeros([], dtype), tf.constant(_WIDE_SCALE, dtype))
