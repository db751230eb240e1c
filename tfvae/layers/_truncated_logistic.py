"""Logistic distribution on an interval."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Tensor

tfd = tfp.distributions

# Where the interval is this far in a tail, the distribution is exponential.
_DEEP = -30.0
# Below this width in scales, the mean is a series, whose next term is 1e-6 of it.
_NARROW = 0.5


class TruncatedLogistic(tfp.distributions.Distribution):
    """Logistic distribution that is conditioned on `low <= x <= high`.

    The density is positive and finite on the whole interval, including its ends. If `loc` is beyond an end, the density
    falls exponentially from that end. In contrast to a truncated normal distribution, its normaliser has a closed form
    without cancellation, so gradients are finite for any parameters.

    Args:
        loc: Location of the logistic distribution, which may be outside of the interval.
        scale: Positive scale of the logistic distribution.
        low: Lower end of the interval.
        high: Upper end of the interval.

    Numerics:
        With sigmoid s, a = (low - loc) / scale and b = (high - loc) / scale, the probability of the interval is
        s(b) - s(a) = s(b) s(-a) (1 - exp(a - b)).

        As s(t) = exp(min(t, 0)) / (1 + exp(-|t|)), the density is exp(e) r, where the exponent e is linear in x between
        the points at which a sign changes, and the factor r cannot overflow. A sum over a mixture then takes one
        logarithm, and no logarithm of a sigmoid.
    """

    def __init__(self, loc: Tensor, scale: Tensor, low: Tensor, high: Tensor):
        self.loc, self.scale, self.low, self.high = (tf.convert_to_tensor(t) for t in (loc, scale, low, high))
        super().__init__(
            dtype=self.loc.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"loc": loc, "scale": scale, "low": low, "high": high},
            name="TruncatedLogistic",
        )

    def _batch_shape(self) -> tf.TensorShape:
        return tf.broadcast_static_shape(self.loc.shape, self.low.shape)

    def _batch_shape_tensor(self, **_: Any) -> Tensor:
        return tf.broadcast_dynamic_shape(tf.shape(self.loc), tf.shape(self.low))

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> Tensor:
        return tf.constant([], tf.int32)

    def _log_prob(self, x: Tensor) -> Tensor:
        exponent, factor = self.density(x)
        log_prob = exponent + tf.math.log(factor)
        return tf.where((x >= self.low) & (x <= self.high), log_prob, tf.constant(-math.inf, x.dtype))

    def density(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns e and r of the density exp(e) r of numbers within the limits."""
        exponent, factor = self._parts(x, x)
        return exponent, factor / self.scale

    def probability(self, low: Tensor, high: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
        """Returns e and r of the probability exp(e) r of intervals within the limits.

        Args:
            low: The lower ends of the intervals.
            high: Their upper ends.
            width: high - low, which may be more precise than the difference of the two.
        """
        exponent, factor = self._parts(low, high)
        return exponent, factor * -tf.math.expm1(-width / self.scale)

    def _parts(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Returns e and r of s(u) s(-l) / (s(b) - s(a)) for an interval, whose ends in scales are l and u."""
        lower, upper, a, b = ((t - self.loc) / self.scale for t in (low, high, self.low, self.high))
        exponents, factors = zip(*(_sigmoid(t) for t in (upper, -lower, b, -a)), strict=True)
        exponent = (exponents[0] - exponents[2]) + (exponents[1] - exponents[3])
        return exponent, factors[2] * factors[3] / (factors[0] * factors[1] * -tf.math.expm1(-self._width()))

    def _width(self) -> Tensor:
        return (self.high - self.low) / self.scale

    def _near_end(self) -> tuple[Tensor, Tensor]:
        """Returns whether loc is nearer to the lower end, and how far it is from the nearer end, in scales.

        This distance b is negative outside of the interval. If loc is nearer to the lower end, x is reflected, so that
        b is the upper end in any case, and tail probabilities are small numbers instead of numbers near 1.
        """
        is_low = self.loc - self.low < self.high - self.loc
        return is_low, tf.where(is_low, self.loc - self.low, self.high - self.loc) / self.scale

    def _from_end(self, is_low: Tensor, distance: Tensor) -> Tensor:
        x = tf.where(is_low, self.low + self.scale * distance, self.high - self.scale * distance)
        return tf.clip_by_value(x, self.low, self.high)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        shape = tf.concat([[n], self.batch_shape_tensor()], axis=0)
        seed = tfp.random.sanitize_seed(seed, salt="truncated_logistic")
        return self._quantile(tf.random.stateless_uniform(shape, seed, dtype=self.dtype, alg="philox"))

    def _quantile(self, u: Tensor) -> Tensor:
        is_low, b = self._near_end()
        log_sigmoid = tf.math.log_sigmoid
        ratio = tf.exp(log_sigmoid(b - self._width()) - log_sigmoid(b))
        # Of a uniform number between s(a) and s(b), the log of its ratio to s(b), and the log of itself.
        log_ratio = tf.math.log(1.0 - u * (1.0 - ratio))
        log_share = tf.minimum(log_sigmoid(b) + log_ratio, -_tiny(self.dtype))
        # log_sigmoid(b) = b - softplus(b), and the logit of the share is log_share - log(1 - share).
        distance = tf.nn.softplus(b) - log_ratio + tf.math.log(-tf.math.expm1(log_share))
        return self._from_end(is_low, distance)

    def _mean(self) -> Tensor:
        is_low, b = self._near_end()
        width, b = self._width(), tf.maximum(b, _DEEP)
        # Integration by parts: E[b - t] is the integral of the distribution function over the interval.
        wide = tf.maximum(width, _NARROW)
        a = b - wide
        integral = tf.nn.softplus(b) - tf.nn.softplus(a) - wide * tf.sigmoid(a)
        # Differences cancel in a narrow interval: Taylor's series of the density around the middle, half a width h from
        # b, gives h + h^2 T / 3 - h^4 T (7 - 3 T^2) / 180, where T = tanh(middle / 2).
        half = tf.minimum(width, _NARROW) / 2.0
        slope = tf.tanh((b - half) / 2.0)
        series = half + slope * tf.square(half) * (60.0 - tf.square(half) * (7.0 - 3.0 * tf.square(slope))) / 180.0
        distance = tf.where(width < _NARROW, series, integral / (tf.sigmoid(b) - tf.sigmoid(a)))
        return self._from_end(is_low, distance)

    def _mode(self) -> Tensor:
        return tf.clip_by_value(self.loc, self.low, self.high)


def _sigmoid(t: Tensor) -> tuple[Tensor, Tensor]:
    """Returns e and f of s(t) = exp(e) / f. The sum of their gradients is right also at t = 0."""
    is_negative = t < 0
    return tf.where(is_negative, t, tf.zeros_like(t)), 1.0 + tf.exp(tf.where(is_negative, t, -t))


def _tiny(dtype: tf.DType) -> float:
    """Returns half of the spacing of numbers below 1."""
    return {tf.float32: 2.0**-25, tf.float64: 2.0**-54}[dtype]
