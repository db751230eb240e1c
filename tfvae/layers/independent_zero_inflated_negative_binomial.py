"""Distribution layer for overdispersed counts with more zeros than a negative binomial has."""

from typing import Any, ClassVar

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import EventShapeLayer
from tfvae.layers._event_shape import event_shape_tuple, event_size
from tfvae.layers._zero_inflated import ZeroInflated
from tfvae.layers.independent_negative_binomial import IndependentNegativeBinomial
from tfvae.typing import Distribution, Shape, Tensor

tfd = tfp.distributions


@register
class IndependentZeroInflatedNegativeBinomial(EventShapeLayer):
    """Independent counts, each 0 with a probability of its own, and otherwise negative binomial.

    Prefer `IndependentNegativeBinomial` without a reason for more zeros: it has one parameter less for each count.

    Args:
        event_shape: Shape of one event.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 3 * prod(event_shape)]`: all raw total_count, all logits of the negative binomial, and
            all log odds of the additional zeros.

    Returns:
        A distribution over events. Its `mean` and `variance` are exact, and include the additional zeros.

    Numerics:
        total_count = max(softplus(raw value), 1e-5). log P(0) is a log-sum-exp.

    References:
        Lambert, Zero-Inflated Poisson Regression, 1992; Greene, Accounting for Excess Zeros and Sample Selection in
        Poisson and Negative Binomial Regression Models, 1994.
    """

    support: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    @staticmethod
    def new(
        params: Tensor, event_shape: Shape | int = (), validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """Creates the distribution from parameters `[..., 3 * prod(event_shape)]`."""
        params = tf.convert_to_tensor(params)
        shape = event_shape_tuple(event_shape)
        size = event_size(shape)
        counts: Any = IndependentNegativeBinomial.new(params[..., : 2 * size], shape, validate_args)
        counts = counts.distribution if shape else counts
        logits = tf.reshape(params[..., 2 * size :], tf.concat([tf.shape(params)[:-1], list(shape)], axis=0))
        inflated = ZeroInflated(counts, tf.ensure_shape(logits, counts.batch_shape))
        return tfd.Independent(inflated, len(shape), name=name, validate_args=validate_args)

    @staticmethod
    def params_size(event_shape: Shape | int = (), name: str | None = None) -> int:
        """Returns the number of parameters of a distribution with this event shape."""
        return 3 * event_size(event_shape)
