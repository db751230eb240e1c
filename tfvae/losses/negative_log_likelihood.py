"""Negative log-likelihood as a Keras loss."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.typing import Distribution, Tensor


@register
def negative_log_likelihood(y_true: Tensor, y_pred: Distribution) -> Tensor:
    """Computes -log p(x|z) in nats; use it as `compile(loss=tfvae.losses.negative_log_likelihood)`.

    It equals `lambda x, rv_x: -rv_x.log_prob(x)`, with three advantages. It is saved with the model. It works under a
    distribution strategy, where Keras first calls a loss with placeholders that have no `log_prob`. It reports an
    output that is not a distribution clearly. With a KL regulariser in the encoder, the model's loss is -ELBO.

    Args:
        y_true: Data `[B, *event]` of any numeric dtype.
        y_pred: Output of the model's distribution layer, of batch shape `[B]` or `[S, B]`.

    Returns:
        Losses `[B]` or `[S, B]` in nats. Keras averages them, weighted by `sample_weight`.

    Raises:
        TypeError: If the model's output is not a distribution.
        ValueError: If the data do not have the event shape of the distribution.
    """
    if not isinstance(y_pred, tfp.distributions.Distribution):
        if _is_placeholder(y_pred):
            return tf.zeros(tf.shape(y_pred)[:1], y_pred.dtype)
        raise TypeError(
            "negative_log_likelihood requires a model that ends in a distribution layer of tfvae.layers. "
            f"Received: y_pred={y_pred!r}"
        )
    return -y_pred.log_prob(y_true)


def _is_placeholder(value: Any) -> bool:
    """Whether Keras only infers shapes, as it does before the first step under a distribution strategy."""
    return tf.is_tensor(value) and not tf.executing_eagerly() and value.op.type == "Placeholder"
