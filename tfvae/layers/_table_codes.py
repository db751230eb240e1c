"""Distributions of the columns of a table whose values are places in a list of categories."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import softplus_inverse
from tfvae.layers._bernoulli import Bernoulli
from tfvae.layers._table_part import Part
from tfvae.layers._table_statistics import TableStatistics
from tfvae.layers._take import take
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# Added to the count of each category, so that none is impossible (Krichevsky & Trofimov 1981).
_PSEUDO_COUNT = 0.5


class Bernoullis(Part):
    """Bernoulli distributions, with a logit for each column."""

    @property
    def size(self) -> int:
        return len(self.places)

    def start(self, statistics: TableStatistics) -> np.ndarray:
        shares = np.array([_shares(statistics.counts[place]) for place in self.places])
        return np.log(shares[:, 1] / shares[:, 0])

    def distribution(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Distribution:
        return Bernoulli(logits=parameters, dtype=parameters.dtype)


class _Categories(Part):
    """Part whose columns have different numbers of categories K, of at most `width`."""

    # How many parameters a column has fewer than categories.
    fewer = 0

    def __init__(self, *args: Any):
        super().__init__(*args)
        numbers = self.columns.num_categories[self.places]
        self.width = int(numbers.max())
        self._lengths = numbers - self.fewer
        starts = np.cumsum(self._lengths) - self._lengths
        place = np.arange(self.width - self.fewer)
        self._is_parameter = place < self._lengths[:, np.newaxis]
        self._padded = np.where(self._is_parameter, starts[:, np.newaxis] + place, self.size)
        self.is_category = np.arange(self.width) < numbers[:, np.newaxis]  # [n, width]

    @property
    def size(self) -> int:
        return int(self._lengths.sum())

    def _by_column(self, parameters: Tensor) -> Tensor:
        """Returns parameters `[..., n, width - fewer]`, padded by zeros."""
        padded = take(parameters, self._padded.ravel())
        return tf.reshape(padded, tf.concat([tf.shape(parameters)[:-1], self._padded.shape], axis=0))


class Categoricals(_Categories):
    """Categorical distributions, with K logits for each column."""

    def start(self, statistics: TableStatistics) -> np.ndarray:
        return np.concatenate([np.log(_shares(statistics.counts[place])) for place in self.places])

    def distribution(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Distribution:
        logits = tf.where(self.is_category, self._by_column(parameters), tf.constant(-math.inf, parameters.dtype))
        return Codes(tf.nn.log_softmax(logits))


class OrderedCategoricals(_Categories):
    """Categorical distributions with P(x <= k) = sigmoid(c_k), with K - 1 parameters for each column.

    The parameters are the first cut c_0 and the raw differences of cuts, c_k = c_(k - 1) + softplus(raw_k). Then
    P(x = k) = sigmoid(c_k) sigmoid(-c_(k - 1)) sigmoid(raw_k), because 1 - exp(-softplus(t)) = sigmoid(t). Unlike the
    difference of two sigmoids, this product has no cancellation.
    """

    fewer = 1

    def start(self, statistics: TableStatistics) -> np.ndarray:
        return np.concatenate([_raw_cuts(_shares(statistics.counts[place])) for place in self.places])

    def distribution(self, parameters: Tensor, loc: Tensor, scale: Tensor) -> Distribution:
        raw = self._by_column(parameters)  # [..., n, width - 1]
        differences = tf.concat([raw[..., :1], tf.nn.softplus(raw[..., 1:])], axis=-1)
        cuts = tf.cumsum(differences, axis=-1)
        edge = tf.zeros(tf.concat([tf.shape(raw)[:-1], [1]], axis=0), raw.dtype)
        zero = tf.zeros([], parameters.dtype)
        below = tf.where(self._is_parameter, tf.math.log_sigmoid(cuts), zero)
        above = tf.where(self._is_parameter, tf.math.log_sigmoid(-cuts), zero)
        between = tf.where(self._is_parameter[:, 1:], tf.math.log_sigmoid(raw[..., 1:]), zero)
        log_probs = tf.concat([below, edge], axis=-1) + tf.concat([edge, above], axis=-1)
        log_probs += tf.concat([edge, between, edge], axis=-1)[..., : self.width]
        log_probs = tf.where(self.is_category, log_probs, tf.constant(-math.inf, parameters.dtype))
        return Codes(log_probs, is_ordered=True)


class Codes(tfp.distributions.Distribution):
    """Distribution of the places 0, 1, ... in a list of categories, as floating-point numbers.

    Args:
        log_probs: Log probabilities `[..., K]`. They may be -inf.
        is_ordered: Whether the categories are in order. The mean is then that of the codes, and else the mode.
    """

    def __init__(self, log_probs: Tensor, is_ordered: bool = False):
        self.log_probs = tf.convert_to_tensor(log_probs)
        self.is_ordered = is_ordered
        super().__init__(
            dtype=self.log_probs.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"log_probs": log_probs, "is_ordered": is_ordered},
            name="Codes",
        )

    def _batch_shape(self) -> tf.TensorShape:
        return self.log_probs.shape[:-1]

    def _batch_shape_tensor(self, **_: Any) -> Tensor:
        return tf.shape(self.log_probs)[:-1]

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> Tensor:
        return tf.constant([], tf.int32)

    def _codes(self) -> Tensor:
        return tf.range(self.log_probs.shape[-1], dtype=self.dtype)

    def _log_prob(self, x: Tensor) -> Tensor:
        # A comparison with all codes costs as much as their probabilities, and its gradient adds up nothing.
        is_code = tf.equal(x[..., tf.newaxis], self._codes())
        return tf.reduce_sum(tf.where(is_code, self.log_probs, tf.zeros_like(self.log_probs)), axis=-1)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        shape = tf.concat([[n], tf.shape(self.log_probs)], axis=0)
        seed = tfp.random.sanitize_seed(seed, salt="codes")
        tiny = np.finfo(self.dtype.as_numpy_dtype).tiny
        uniform = tf.random.stateless_uniform(shape, seed, minval=tiny, dtype=self.dtype, alg="philox")
        return self._largest(self.log_probs - tf.math.log(-tf.math.log(uniform)))  # Gumbel-max

    def _largest(self, values: Tensor) -> Tensor:
        return tf.cast(tf.argmax(values, axis=-1, output_type=tf.int32), self.dtype)

    def _mode(self) -> Tensor:
        return self._largest(self.log_probs)

    def _mean(self) -> Tensor:
        return tf.linalg.matvec(tf.exp(self.log_probs), self._codes()) if self.is_ordered else self._mode()


def _shares(counts: np.ndarray) -> np.ndarray:
    """Returns the share of each category, which is not 0."""
    counts = counts + _PSEUDO_COUNT
    return counts / counts.sum()


def _raw_cuts(shares: np.ndarray) -> np.ndarray:
    """Returns the parameters of an ordered distribution of `[K]` probabilities."""
    below = np.cumsum(shares)[:-1]
    cuts = np.log(below / np.cumsum(shares[::-1])[::-1][1:])
    return np.concatenate([cuts[:1], softplus_inverse(np.diff(cuts))])
