"""Distribution layer for rows of counts whose sums are given."""

from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._checks import whole_number
from tfvae._serialization import register
from tfvae.layers._count_statistics import NUM_QUANTILES, CountStatistics, count_statistics
from tfvae.layers._event_shape import event_size_of
from tfvae.layers._zero_inflated import ZeroInflated
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.layers.independent_negative_binomial import IndependentNegativeBinomial
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor

tfd = tfp.distributions

# Logarithms of inverse dispersions are clipped to these.
_LOG_TOTAL_COUNTS = (-11.0, 11.0)
# Log odds of additional zeros at parameters of zero, so that a model begins with few of them.
_START_LOG_ODDS = -3.0
# Smallest log proportion.
_MIN_LOG_PROPORTION = -40.0


@register
class SizedNegativeBinomial(DistributionLayer):
    """Rows of negative binomial counts, whose means are shares of the size of the row, such as the genes of a cell.

    A cell that was read twice as deeply has about twice the counts. The size of a row, the sum of its counts, is given,
    so that z describes its proportions alone. The inverse dispersion of a column is a weight, as is its share of all
    counts, with which the model begins.

    Args:
        event_size: Number of columns, D.
        zero_inflated: Whether a count is zero with an additional probability, whose log odds are parameters too.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., params_size(event_size, zero_inflated)]`: D unnormalised log proportions, D log odds
            of additional zeros less 3 if there are any, and the size of the row.

    Returns:
        A distribution of rows `[D]`. The mean of column j is size * softmax(log proportions + log share)_j, and its
        variance m + m^2 / total_count_j; with additional zeros, that of the part without them.

    Numerics:
        A size below 1 counts as 1. Inverse dispersions are between exp(-11) and exp(11). log P(x) is computed in
        float64 and rounded once.

    References:
        Lopez et al., Deep generative modeling for single-cell transcriptomics, 2018, methods, "The scVI probabilistic
        model", with the observed sum in the place of the latent library size.

    Example:
        >>> likelihood = SizedNegativeBinomial(3)
        >>> likelihood(tf.constant([[0.0, 0.0, 0.0, 30.0]])).mean().numpy().round(2)
        array([[10., 10., 10.]], dtype=float32)
    """

    support: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    def __init__(
        self,
        event_size: int,
        zero_inflated: bool = False,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, validate_args, **kwargs)
        self.event_size = whole_number(event_size, "event_size")
        self.zero_inflated = bool(zero_inflated)
        shape = (self.event_size,)
        self.log_total_count = self.add_weight(name="log_total_count", shape=shape, initializer="zeros")
        self.log_share = self.add_weight(name="log_share", shape=shape, initializer="zeros", trainable=False)
        self.size_quantiles = self.add_weight(
            name="size_quantiles", shape=(NUM_QUANTILES,), initializer="ones", trainable=False
        )

    def adapt(self, data: Any) -> None:
        """Sets dispersions and shares to those of the columns of some rows, and remembers the sizes of the rows.

        Args:
            data: Counts `[N, D]`.

        Raises:
            ValueError: If there are no rows, or they have another number of columns.
        """
        x = np.asarray(data)
        if x.ndim != 2 or x.shape[1] != self.event_size or not len(x):
            raise ValueError(
                f"SizedNegativeBinomial '{self.name}' expects rows of {self.event_size} counts. "
                f"Received: data.shape={x.shape}"
            )
        self._assign(count_statistics(x, _LOG_TOTAL_COUNTS))

    def _assign(self, statistics: CountStatistics) -> None:
        self.log_total_count.assign(statistics.log_total_count)
        self.log_share.assign(statistics.log_share)
        self.size_quantiles.assign(statistics.size_quantiles)

    def sample_sizes(self, num_samples: int, seed: Any) -> Tensor:
        """Draws sizes `[N]` like those of the rows that `adapt` got."""
        place = tf.random.stateless_uniform([num_samples], tfp.random.sanitize_seed(seed), dtype=tf.float64)
        quantiles = tf.cast(tf.convert_to_tensor(self.size_quantiles), tf.float64)
        found = tfp.math.interp_regular_1d_grid(
            place, tf.constant(0.0, tf.float64), tf.constant(1.0, tf.float64), quantiles
        )
        return tf.cast(tf.maximum(tf.round(found), 1.0), self.parameters_dtype)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.event_size,)

    @property
    def parameters_size(self) -> int:
        return self.params_size(self.event_size, self.zero_inflated)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        parameters, size = parameters[..., :-1], tf.maximum(parameters[..., -1:], 1.0)
        share, log_total = (tf.cast(weight, parameters.dtype) for weight in (self.log_share, self.log_total_count))
        log_proportions = tf.nn.log_softmax(parameters[..., : self.event_size] + share)
        log_mean = tf.maximum(log_proportions, _MIN_LOG_PROPORTION) + tf.math.log(size)
        log_total = tf.clip_by_value(log_total, *_LOG_TOTAL_COUNTS)
        counts: Distribution = IndependentNegativeBinomial.distribution_class(
            tf.broadcast_to(tf.exp(log_total), tf.shape(log_mean)),
            logits=log_mean - log_total,
            require_integer_total_count=False,
        )
        if self.zero_inflated:
            counts = ZeroInflated(counts, parameters[..., self.event_size :] + _START_LOG_ODDS)
        return tfd.Independent(counts, 1, validate_args=self.validate_args)

    @staticmethod
    def params_size(event_size: int, zero_inflated: bool = False, name: str | None = None) -> int:
        """Returns the number of parameters of a row, with its size."""
        return (2 if zero_inflated else 1) * event_size_of(event_size) + 1

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "event_size": self.event_size, "zero_inflated": self.zero_inflated}
