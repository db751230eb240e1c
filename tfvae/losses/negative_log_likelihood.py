"""-log p(x|z), as a Keras loss."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.typing import Distribution, Tensor


@register
def negative_log_likelihood(y_true: Tensor, y_pred: Distribution) -> Tensor:
    """-log_prob(y_true) in nats: `compile(loss=tfvae.losses.negative_log_likelihood)`.

    The same as `lambda x, rv_x: -rv_x.log_prob(x)`, and besides saved with the model, usable under a distribution
    strategy (where Keras first tries a loss on placeholders, which have no `log_prob`), and clear about an output that
    is no distribution. With a KL regulariser in the encoder, the model's loss is -ELBO.

    Args:
        y_true: the data `[B, *event]`, of any number type.
        y_pred: the distribution that the model's last layer returned, of batch shape `[B]` or `[S, B]`.

    Returns:
        `[B]` or `[S, B]`, nats; Keras takes the mean, weighted by `sample_weight`.

    Raises:
        TypeError: when the model's output is no distribution.
        ValueError: when the data do not have the distribution's event shape.
    """
    if not isinstance(y_pred, tfp.distributions.Distribution):
        if _is_placeholder(y_pred):
            return tf.zeros(tf.shape(y_pred)[:1], y_pred.dtype)
        raise TypeError(
            "negative_log_likelihood needs a model that ends in a distribution layer of tfvae.layers. "
            f"Received as the model's output: {y_pred!r}."
        )
    return -y_pred.log_prob(y_true)


def _is_placeholder(value: Tensor) -> bool:
    """Whether Keras is only looking for shapes, as it does before the first step under a distribution strategy."""
    return tf.is_tensor(value) and not tf.executing_eagerly() and value.op.type == "Placeholder"
