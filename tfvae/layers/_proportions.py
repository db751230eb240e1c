"""Distributions on (0, 1) and on the simplex that stay accurate near the boundary."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers._double_precision import DoublePrecision, register_kl
from tfvae.layers._inside_support import InsideSupport, widths
from tfvae.layers._log_gamma import sample_log_gamma
from tfvae.typing import Tensor

tfd = tfp.distributions


class Beta(InsideSupport, DoublePrecision, tfp.distributions.Beta):
    """`tfd.Beta` with draws inside (0, 1), in float64."""

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        seeds = tfp.random.split_seed(seed, salt="beta")
        shape = self.batch_shape_tensor()
        log_gamma1, log_gamma0 = (
            sample_log_gamma(tf.broadcast_to(concentration, shape), n, seed)
            for concentration, seed in zip((self.concentration1, self.concentration0), seeds, strict=True)
        )
        return tf.math.sigmoid(log_gamma1 - log_gamma0)

    def log_mass_at_ends(self) -> tuple[Tensor, Tensor]:
        # Near an end, the density is a power: P(z < w) = w^a / (a B(a, b)).
        a, b = (tf.cast(c, tf.float64) for c in (self.concentration1, self.concentration0))
        log_normalization = tfp.math.lbeta(a, b)
        low, high = (
            c * math.log(width) - tf.math.log(c) - log_normalization
            for c, width in zip((a, b), widths(self.dtype), strict=True)
        )
        return low, high


class Kumaraswamy(InsideSupport, tfp.distributions.Kumaraswamy):
    """`tfd.Kumaraswamy` with draws inside (0, 1), in float64, because TFP's formulas subtract from 1 in float32."""

    def _in_double_precision(self) -> tuple[Tensor, Tensor]:
        return tf.cast(self.concentration1, tf.float64), tf.cast(self.concentration0, tf.float64)

    def _draw(self, sample_shape: Any, seed: Any, **kwargs: Any) -> Tensor:
        uniform = self._maybe_broadcast_distribution_batch_shape().sample(sample_shape, seed)
        a, b = self._in_double_precision()
        # Noise of exactly 0 represents all values that round to it.
        u = tf.maximum(tf.cast(uniform, tf.float64), 0.25 * np.finfo(self.dtype.as_numpy_dtype).eps)
        return tf.cast(tf.exp(tf.math.log(-tf.math.expm1(tf.math.log1p(-u) / b)) / a), self.dtype)

    def _log_density(self, value: Tensor, **kwargs: Any) -> Tensor:
        a, b = self._in_double_precision()
        z = tf.cast(value, tf.float64)
        complement = -tf.math.expm1(a * tf.math.log(z))  # 1 - z^a
        log_prob = tf.math.log(a) + tf.math.log(b) + tf.math.xlogy(a - 1.0, z) + tf.math.xlogy(b - 1.0, complement)
        return tf.cast(log_prob, self.dtype)

    def log_mass_at_ends(self) -> tuple[Tensor, Tensor]:
        a, b = self._in_double_precision()
        low, high = widths(self.dtype)
        power = tf.exp(a * math.log(low))  # z^a; P(z < w) = 1 - (1 - w^a)^b, which is b w^a if w^a underflows
        safe = tf.where(power > 0, power, 0.5)
        log_low = tf.math.log(-tf.math.expm1(b * tf.math.log1p(-safe)))
        log_high = b * tf.math.log(-tf.math.expm1(a * math.log1p(-high)))
        return tf.where(power > 0, log_low, tf.math.log(b) + a * math.log(low)), log_high


class RelaxedBernoulli(InsideSupport, tfp.distributions.RelaxedBernoulli):
    """`tfd.RelaxedBernoulli` with draws inside (0, 1)."""

    def _sample_n(self, n: Tensor, seed: Any = None, **kwargs: Any) -> Tensor:
        return _sigmoid(self._transformed_logistic().distribution.sample(n, seed=seed, **kwargs))

    def log_mass_at_ends(self) -> tuple[Tensor, Tensor]:
        # In terms of the odds, because the logit is logistic.
        low, high = (math.log(width) for width in widths(self.dtype))
        temperature, logits = tf.convert_to_tensor(self.temperature), self.logits_parameter()
        return tf.math.log_sigmoid(temperature * low - logits), tf.math.log_sigmoid(temperature * high + logits)


class LogitNormal(InsideSupport, tfp.distributions.LogitNormal):
    """`tfd.LogitNormal` with draws inside (0, 1)."""

    def _draw(self, sample_shape: Any, seed: Any, **kwargs: Any) -> Tensor:
        return _sigmoid(self._maybe_broadcast_distribution_batch_shape().sample(sample_shape, seed, **kwargs))

    def log_mass_at_ends(self) -> tuple[Tensor, Tensor]:
        low, high = (math.log(width) for width in widths(self.dtype))
        loc, scale = self.distribution.loc, self.distribution.scale
        log_cdf = tfd.Normal(tf.zeros([], self.dtype), 1.0).log_cdf
        return log_cdf((low - loc) / scale), log_cdf((high + loc) / scale)


class Dirichlet(InsideSupport, DoublePrecision, tfp.distributions.Dirichlet):
    """`tfd.Dirichlet` in float64, without components of exactly 0."""

    may_round_to_one = True

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        log_gamma = sample_log_gamma(tf.convert_to_tensor(self.concentration), n, seed)
        return tf.exp(log_gamma - tf.reduce_logsumexp(log_gamma, axis=-1, keepdims=True))

    def _log_density(self, value: Tensor, **kwargs: Any) -> Tensor:
        # Near 0, the density is a power of the component, as for a Beta distribution.
        log_prob = super()._log_density(value, **kwargs)
        log_concentration = tf.math.log(self.concentration)
        is_lost = tf.equal(value, tf.constant(widths(self.dtype)[0], self.dtype))
        return log_prob - tf.reduce_sum(tf.where(is_lost, log_concentration, tf.zeros_like(value)), axis=-1)


class RelaxedOneHotCategorical(InsideSupport, tfp.distributions.RelaxedOneHotCategorical):
    """`tfd.RelaxedOneHotCategorical` without components of exactly 0.

    Its density depends on the logarithms of the components. The other components determine a component near 1, so only
    components below the smallest normal number w lose information.

    Numerics:
        z_k is proportional to E_k^(-1/temperature) for exponential variables E_k with rates pi_k. Let C be the set of
        components that are at most w, and let the n others be known. Integrating over the scale of the E_k gives
        (n - 1)! temperature^(n - 1) prod_{j not in C} pi_j z_j^(-temperature - 1) / (sum_i pi_i z_i^-temperature)^n,
        with z_i = w in C. If C is empty, this is the density of Maddison et al. (2016, arXiv 1611.00712, equation 10).
    """

    may_round_to_one = True

    def _log_density(self, value: Tensor, **kwargs: Any) -> Tensor:
        low, _ = widths(self.dtype)
        is_lost = tf.equal(value, tf.constant(low, self.dtype))
        temperature = tf.convert_to_tensor(self.temperature)
        log_z = tf.math.log(value)
        terms = self.logits_parameter() - temperature[..., tf.newaxis] * log_z
        known = tf.where(is_lost, tf.zeros_like(terms), terms - log_z)
        n = tf.reduce_sum(tf.where(is_lost, tf.zeros_like(terms), tf.ones_like(terms)), axis=-1)
        num_lost = tf.cast(tf.shape(terms)[-1], terms.dtype) - n
        log_prob = (
            tf.math.lgamma(n)
            + (n - 1.0) * tf.math.log(temperature)
            + tf.reduce_sum(known, axis=-1)
            - n * tf.reduce_logsumexp(terms, axis=-1)
            - num_lost * math.log(low)
        )
        return tf.where(num_lost > 0, log_prob, super()._log_density(value, **kwargs))


def _sigmoid(x: Tensor) -> Tensor:
    """Computes `tfb.Sigmoid` without the NaN gradient that it has if exp(x) overflows."""
    cutoff = -20.0 if x.dtype == tf.float64 else -9.0
    return tf.where(x < cutoff, tf.exp(tf.minimum(x, cutoff)), tf.math.sigmoid(x))


for _ours in (Beta, Dirichlet):
    register_kl(_ours)
