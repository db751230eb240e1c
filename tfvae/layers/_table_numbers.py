"""Distributions of the columns of a table that are numbers."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._numerics import softplus_inverse
from tfvae.layers._logistic_mixture import LogisticMixture
from tfvae.layers._same_shape import SameShape
from tfvae.layers._table_fit import fitted_mixture
from tfvae.layers._table_padding import for_rows
from tfvae.layers._table_part import Part, Scales
from tfvae.layers._table_statistics import TableStatistics
from tfvae.typing import Distribution, Tensor

# Standard deviation of a logistic distribution with scale 1.
_LOGISTIC_STDDEV = math.pi / math.sqrt(3.0)
# The share of the wide part of a mixture, for numbers beyond the smallest and the largest in the data.
_WIDE_SHARE = 1e-3
# Its softplus is 1.
_UNIT_RAW_SCALE = float(softplus_inverse(1.0))


class Numbers(Part):
    """Mixtures of K logistic distributions on the interval of the data, with 3 K parameters for each column.

    For the component k of the mixture that fits the marginal distribution, with logit a_k, mean m_k and standard
    deviation s_k on the standardised scale, the parameters (a, m, s) are relative:

        logit a_k + a;  mean m_k + s_k m;  standard deviation min_scale + (s_k - min_scale) softplus(s + s_0)

    where softplus(s_0) = 1. The gradient with respect to them does not depend on how narrow a component is.
    """

    @property
    def size(self) -> int:
        return 3 * len(self.places) * self.num_components

    def start(self, statistics: TableStatistics) -> np.ndarray:
        fit = fitted_mixture(statistics.quantiles[self.places], self.num_components, self.min_scale)
        return np.concatenate([values.T.ravel() for values in fit])

    def _mixture(self, parameters: Tensor, start: Tensor, scales: Scales) -> LogisticMixture:
        """Returns distributions of standardised values."""
        logits, means, raw_stddevs = self._by_component(parameters)
        start_logits, start_means, start_stddevs = self._by_component(start)
        floor = tf.constant(self.min_scale, parameters.dtype)
        stddevs = floor + (start_stddevs - floor) * tf.nn.softplus(raw_stddevs + _UNIT_RAW_SCALE)
        return LogisticMixture(
            start_logits + logits,
            start_means + start_stddevs * means,
            stddevs / _LOGISTIC_STDDEV,
            scales.low,
            scales.high,
            for_rows(np.where(self.columns.kinds[self.places] == "bounded", 0.0, _WIDE_SHARE), start.shape.rank - 1),
        )

    def _by_component(self, parameters: Tensor) -> list[Tensor]:
        """Returns logits, means and standard deviations `[K, n, ...]`."""
        shape = tf.concat([[3, self.num_components, len(self.places)], tf.shape(parameters)[1:]], axis=0)
        return tf.unstack(tf.reshape(parameters, shape))

    def distribution(self, parameters: Tensor, start: Tensor, scales: Scales) -> Distribution:
        limits = (
            tf.constant(for_rows(limit[self.places], start.shape.rank - 1), parameters.dtype)
            for limit in (self.columns.low, self.columns.high)
        )
        return _Linear(self._mixture(parameters, start, scales), scales.loc, scales.scale, *limits)


class PositiveNumbers(Numbers):
    """The same for the logarithms of positive numbers."""

    def distribution(self, parameters: Tensor, start: Tensor, scales: Scales) -> Distribution:
        return _Exponential(self._mixture(parameters, start, scales), scales.loc, scales.scale)


class Counts(Numbers):
    """The same for log(1 + t) of a number t that is rounded to the nearest count."""

    def distribution(self, parameters: Tensor, start: Tensor, scales: Scales) -> Distribution:
        return _Rounded(self._mixture(parameters, start, scales), scales.loc, scales.scale)


class _OfMixture(SameShape):
    """Distribution of a function of v = loc + scale u, element by element, where u follows a `LogisticMixture`."""

    def __init__(self, distribution: LogisticMixture, loc: Tensor, scale: Tensor, **parameters: Tensor):
        self.mixture, self.loc, self.scale = distribution, loc, scale
        super().__init__(distribution, type(self).__name__.strip("_"), loc=loc, scale=scale, **parameters)

    def _x_of(self, v: Tensor) -> Tensor:
        raise NotImplementedError

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        return self._x_of(self.loc + self.scale * self.distribution.sample(n, seed=seed))

    def _mean(self) -> Tensor:
        return self.mixture.mean_of(lambda u: self._x_of(self.loc + self.scale * u))

    def _mode(self) -> Tensor:
        return self._x_of(self.loc + self.scale * self.distribution.mode())


class _Linear(_OfMixture):
    """Distribution of x = v, which is within the limits of the column in spite of rounding."""

    def __init__(self, distribution: LogisticMixture, loc: Tensor, scale: Tensor, low: Tensor, high: Tensor):
        self.low, self.high = low, high
        super().__init__(distribution, loc, scale, low=low, high=high)

    def _x_of(self, v: Tensor) -> Tensor:
        return tf.clip_by_value(v, self.low, self.high)

    def _log_prob(self, x: Tensor) -> Tensor:
        return self.distribution.log_prob((x - self.loc) / self.scale) - tf.math.log(self.scale)

    def _mean(self) -> Tensor:
        return self._x_of(self.loc + self.scale * self.distribution.mean())


class _Exponential(_OfMixture):
    """Distribution of x = exp(v)."""

    def _x_of(self, v: Tensor) -> Tensor:
        return _exp(v)

    def _log_prob(self, x: Tensor) -> Tensor:
        log_x = tf.math.log(x)
        return self.distribution.log_prob((log_x - self.loc) / self.scale) - tf.math.log(self.scale) - log_x


class _Rounded(_OfMixture):
    """Distribution of x = max(0, round(exp(v) - 1)).

    P(x) is the probability of log(x + 1/2) < v < log(x + 3/2), and for x = 0 of v < log(3/2).
    """

    def _x_of(self, v: Tensor) -> Tensor:
        return tf.maximum(tf.round(_exp(v) - 1.0), 0.0)

    def _log_prob(self, x: Tensor) -> Tensor:
        low, high = ((tf.math.log(x + number) - self.loc) / self.scale for number in (0.5, 1.5))
        width = tf.math.log1p(1.0 / (x + 0.5)) / self.scale
        return self.mixture.log_probability(low, high, width, is_first=tf.equal(x, 0.0))


def _exp(log_x: Tensor) -> Tensor:
    # Data are float32, also those of a layer in float64.
    info = np.finfo(np.float32)
    return tf.exp(tf.clip_by_value(log_x, math.log(info.tiny) + 1.0, math.log(info.max) - 1.0))
