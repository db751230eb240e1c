"""Distributions of the columns of a table that are numbers."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import floor_raw_scale, softplus_inverse
from tfvae.layers._affine import Affine
from tfvae.layers._normal import Normal
from tfvae.layers._same_shape import SameShape
from tfvae.layers._table_part import Part
from tfvae.layers._table_statistics import TableStatistics
from tfvae.layers._truncated_logistic import TruncatedLogistic
from tfvae.layers.independent_negative_binomial import IndependentNegativeBinomial
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# Standard deviation of a logistic distribution with scale 1.
_LOGISTIC_STDDEV = math.pi / math.sqrt(3.0)
# The largest absolute value of the log mean of a count.
_MAX_LOG_MEAN = 60.0
# Inverse dispersions of negative binomials that fit the data lie between these.
_TOTAL_COUNTS = (1e-2, 1e4)


class _LocScale(Part):
    """Part with a loc and a raw scale for each column, on the standardised scale."""

    @property
    def size(self) -> int:
        return 2 * len(self.places)

    def start(self, statistics: TableStatistics) -> np.ndarray:
        zeros = np.zeros(len(self.places))
        return np.concatenate([zeros, zeros + softplus_inverse(1.0 - self.min_scale)])

    def _standardized(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Returns loc and scale, `[..., n]` each."""
        loc, raw_scale = tf.split(parameters, 2, axis=-1)
        return loc, tf.nn.softplus(raw_scale) + tf.constant(self.min_scale, parameters.dtype)


class Normals(_LocScale):
    """Normal distributions."""

    def distribution(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Distribution:
        return Affine(Normal(*self._standardized(parameters)), loc, scale)


class LogNormals(_LocScale):
    """Log-normal distributions."""

    def distribution(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Distribution:
        return _LogNormal(Affine(Normal(*self._standardized(parameters)), loc, scale))


class TruncatedLogistics(_LocScale):
    """Logistic distributions on an interval."""

    def distribution(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Distribution:
        low, high = (
            tf.constant(limit[self.places], parameters.dtype) for limit in (self.columns.low, self.columns.high)
        )
        unit_loc, unit_scale = self._standardized(parameters)
        return TruncatedLogistic(loc + scale * unit_loc, scale / _LOGISTIC_STDDEV * unit_scale, low, high)


class NegativeBinomials(Part):
    """Negative binomial distributions, with a log mean and a raw total count for each column."""

    @property
    def size(self) -> int:
        return 2 * len(self.places)

    def start(self, statistics: TableStatistics) -> np.ndarray:
        # A count that is always 0 gets a mean that is positive, and small.
        mean = np.maximum(statistics.mean[self.places], 1e-3)
        excess = np.maximum(statistics.variance[self.places] - mean, 1e-12)
        return np.concatenate([np.log(mean), softplus_inverse(np.clip(np.square(mean) / excess, *_TOTAL_COUNTS))])

    def distribution(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Distribution:
        log_mean, raw_total = tf.split(parameters, 2, axis=-1)
        log_mean = tf.clip_by_value(log_mean, -_MAX_LOG_MEAN, _MAX_LOG_MEAN)
        total_count = tf.nn.softplus(floor_raw_scale(raw_total))
        return IndependentNegativeBinomial.distribution_class(
            total_count, logits=log_mean - tf.math.log(total_count), require_integer_total_count=False
        )


class _LogNormal(SameShape):
    """Distribution of x = exp(v), element by element, where v is an affine function of a normal variable."""

    def __init__(self, distribution: Distribution):
        super().__init__(distribution, "LogNormal")

    def _exp(self, log_x: Tensor) -> Tensor:
        # Data are float32, also those of a layer in float64.
        info = np.finfo(np.float32)
        return tf.exp(tf.clip_by_value(log_x, math.log(info.tiny) + 1.0, math.log(info.max) - 1.0))

    def _log_prob(self, x: Tensor) -> Tensor:
        log_x = tf.math.log(x)
        return self.distribution.log_prob(log_x) - log_x

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        return self._exp(self.distribution.sample(n, seed=seed))

    def _mean(self) -> Tensor:
        return self._exp(self.distribution.mean() + self.distribution.variance() / 2)

    def _mode(self) -> Tensor:
        return self._exp(self.distribution.mean() - self.distribution.variance())
