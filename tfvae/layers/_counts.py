"""Distributions of counts whose log p(x) stays precise for large counts."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.distributions.poisson import random_poisson
from tensorflow_probability.python.internal.implementation_selection import is_xla
from tensorflow_probability.python.internal.prefer_static import convert_to_shape_tensor

from tfvae.layers._double_precision import DoublePrecision
from tfvae.typing import Tensor

# Smaller counts use the plain formula, which has little cancellation; Stirling's series is exact for larger ones.
_SMALL_COUNT = 16.0
# B_2k / (2k (2k - 1)) of Stirling's series, k = 1, 2 ...
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
# If |rate - x| / (rate + x) is below _NEAR, the deviance is computed by a series with this number of terms.
_NEAR, _NUM_TERMS = 0.1, 9


# TFP's sampler is one `tf.function` for all graphs. A trace for a graph without XLA cannot be compiled in one with XLA.
_trace_random_poisson = random_poisson.__wrapped__.python_function


class Poisson(tfp.distributions.Poisson):
    """`tfd.Poisson` with Loader's formula for large counts, and a sampler that XLA compiles after any other use.

    Numerics:
        log p(x) = -log(2 pi x) / 2 - e(x) - d(x, rate), with Stirling's error e and the deviance
        d(x, rate) = x log(x / rate) + rate - x, computed by a series if x is near the rate. The large terms of
        x log(rate) - rate - log x! cancel analytically. All terms are computed in float64 and rounded once.

    References:
        Loader, Fast and Accurate Computation of Binomial Probabilities, 2000.
    """

    def _log_prob(self, x: Tensor) -> Tensor:
        count = tf.maximum(tf.floor(x) if self.force_probs_to_zero_outside_support else x, 0.0)
        log_rate = None if self._log_rate is None else tf.cast(self._log_rate, tf.float64)
        rate = tf.exp(log_rate) if log_rate is not None else tf.cast(self._rate, tf.float64)
        log_prob = _poisson_log_prob(tf.cast(count, tf.float64), rate, log_rate)
        return tf.where(tf.equal(x, count), tf.cast(log_prob, self.dtype), tf.constant(-math.inf, self.dtype))

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        if not is_xla():
            return super()._sample_n(n, seed)
        rates = {"rates": self._rate, "log_rates": self._log_rate}
        given = {name: None if values is None else tf.convert_to_tensor(values) for name, values in rates.items()}
        seed = tfp.random.sanitize_seed(seed)
        shape = convert_to_shape_tensor([n])  # an array if n is known, which TFP's loops need
        return _trace_random_poisson(shape=shape, output_dtype=self.dtype, seed=seed, **given)[0]


def _poisson_log_prob(x: Tensor, rate: Tensor, log_rate: Tensor | None) -> Tensor:
    log_rate = tf.math.log(rate) if log_rate is None else log_rate
    plain = tf.math.multiply_no_nan(log_rate, x) - rate - tf.math.lgamma(1.0 + x)
    # Each formula gets a safe input where the other one is selected, so that no gradient is NaN.
    large = tf.maximum(x, _SMALL_COUNT)
    stirling = -0.5 * tf.math.log(2.0 * math.pi * large) - _stirling_error(large)
    is_near = tf.abs(rate - large) < _NEAR * (rate + large)
    far = large * (tf.math.log(large) - log_rate) + rate - large
    near = _deviance_near(large, tf.where(is_near, rate, large))
    return tf.where(x < _SMALL_COUNT, plain, stirling - tf.where(is_near, near, far))


def _stirling_error(x: Tensor) -> Tensor:
    """Computes Stirling's error, log x! - (x + 1/2) log x + x - log(2 pi) / 2."""
    square = 1.0 / (x * x)
    return tf.math.polyval([tf.constant(c, x.dtype) for c in reversed(_STIRLING)], square) / x


def _deviance_near(x: Tensor, rate: Tensor) -> Tensor:
    """Computes the deviance x log(x / rate) + rate - x by a series.

    With v = (x - rate) / (x + rate), log(x / rate) = 2 artanh v.
    """
    v = (x - rate) / (x + rate)
    coefficients = [tf.constant(1 / (2 * j + 1), x.dtype) for j in range(_NUM_TERMS, 0, -1)]
    square = v * v
    return (x - rate) * v + 2.0 * x * v * square * tf.math.polyval(coefficients, square)


class NegativeBinomial(DoublePrecision, tfp.distributions.NegativeBinomial):
    """`tfd.NegativeBinomial` in float64."""


class Binomial(DoublePrecision, tfp.distributions.Binomial):
    """`tfd.Binomial` in float64."""


class BetaBinomial(DoublePrecision, tfp.distributions.BetaBinomial):
    """`tfd.BetaBinomial` in float64."""


class Multinomial(DoublePrecision, tfp.distributions.Multinomial):
    """`tfd.Multinomial` in float64."""


class DirichletMultinomial(DoublePrecision, tfp.distributions.DirichletMultinomial):
    """`tfd.DirichletMultinomial` in float64."""
