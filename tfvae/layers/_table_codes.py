"""Distributions of the columns of a table whose values are places in a list of categories."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._numerics import softplus_inverse
from tfvae.layers._bernoulli import Bernoulli
from tfvae.layers._codes import Codes
from tfvae.layers._table_padding import PaddedParameters, for_rows
from tfvae.layers._table_part import Part, Scales
from tfvae.layers._table_statistics import TableStatistics
from tfvae.typing import Distribution, Tensor

# Added to the count of each category, so that none is impossible (Krichevsky & Trofimov 1981).
_PSEUDO_COUNT = 0.5


class Bernoullis(Part):
    """Bernoulli distributions, with a logit for each column."""

    @property
    def size(self) -> int:
        return len(self.places)

    def start(self, statistics: TableStatistics) -> np.ndarray:
        shares = np.array([shares_of(statistics.counts[place]) for place in self.places])
        return np.log(shares[:, 1] / shares[:, 0])

    def distribution(self, parameters: Tensor, start: Tensor, scales: Scales) -> Distribution:
        return Bernoulli(logits=parameters + start, dtype=parameters.dtype)


class _Categories(Part):
    """Part whose columns have different numbers of categories K."""

    # How many parameters a column has fewer than categories.
    fewer = 0

    def __init__(self, *args: Any):
        super().__init__(*args)
        numbers = self.columns.num_categories[self.places]
        self._padded = PaddedParameters(numbers - self.fewer)
        self.is_category = np.arange(int(numbers.max()))[:, np.newaxis] < numbers  # [width, n]

    @property
    def size(self) -> int:
        return self._padded.size


class Categoricals(_Categories):
    """Categorical distributions, with K logits for each column."""

    def start(self, statistics: TableStatistics) -> np.ndarray:
        return np.concatenate([np.log(shares_of(statistics.counts[place])) for place in self.places])

    def distribution(self, parameters: Tensor, start: Tensor, scales: Scales) -> Distribution:
        return Codes(self._padded.log_softmax(parameters + start))


class OrderedCategoricals(_Categories):
    """Categorical distributions with P(x <= k) = sigmoid(c_k), with K - 1 parameters for each column.

    The parameters are the first cut c_0 and the raw differences of cuts, c_k = c_(k - 1) + softplus(raw_k). Then
    P(x = k) = sigmoid(c_k) sigmoid(-c_(k - 1)) sigmoid(raw_k), because 1 - exp(-softplus(t)) = sigmoid(t). Unlike the
    difference of two sigmoids, this product has no cancellation.
    """

    fewer = 1

    def start(self, statistics: TableStatistics) -> np.ndarray:
        return np.concatenate([_raw_cuts(shares_of(statistics.counts[place])) for place in self.places])

    def distribution(self, parameters: Tensor, start: Tensor, scales: Scales) -> Distribution:
        raw = self._padded.by_column(parameters + start)  # [width - 1, n, ...]
        num_axes = raw.shape.rank - 2
        is_parameter, is_category = (for_rows(each, num_axes) for each in (self._padded.is_parameter, self.is_category))
        softplus = tf.nn.softplus(raw[1:])
        cuts = tf.cumsum(tf.concat([raw[:1], softplus], axis=0))
        edge = tf.zeros(tf.concat([[1], tf.shape(raw)[1:]], axis=0), raw.dtype)
        zero = tf.zeros([], raw.dtype)
        below = tf.math.log_sigmoid(cuts)
        above = tf.where(is_parameter, below - cuts, zero)
        below = tf.where(is_parameter, below, zero)
        between = tf.where(is_parameter[1:], raw[1:] - softplus, zero)
        log_probs = tf.concat([below, edge], axis=0) + tf.concat([edge, above], axis=0)
        log_probs += tf.concat([edge, between, edge], axis=0)[: len(is_category)]
        log_probs = tf.where(is_category, log_probs, tf.constant(-math.inf, parameters.dtype))
        return Codes(log_probs, is_ordered=True)


def shares_of(counts: np.ndarray) -> np.ndarray:
    """Returns the share of each category, which is not 0."""
    counts = counts + _PSEUDO_COUNT
    return counts / counts.sum()


def _raw_cuts(shares: np.ndarray) -> np.ndarray:
    """Returns the parameters of an ordered distribution of `[K]` probabilities."""
    below = np.cumsum(shares)[:-1]
    cuts = np.log(below / np.cumsum(shares[::-1])[::-1][1:])
    return np.concatenate([cuts[:1], softplus_inverse(np.diff(cuts))])
