"""Layer that returns a weight and ignores its input."""

from typing import Any

import keras
import tensorflow as tf

from tfvae._serialization import register
from tfvae.layers._event_shape import event_shape_tuple
from tfvae.typing import Tensor


@register
class VariableLayer(keras.layers.Layer):
    """Ignores its input and returns its weight: the parameters of an unconditional distribution.

    Use it as the first layer of an unconditional model, before a distribution layer. Keras does not accept Python
    numbers as inputs of a model: replace `model(0.)` in code for TFP by `model(tf.zeros([]))`. A model is built for the
    rank of its first input, so call a model that was fitted with `x=np.zeros((n, 0))` with `np.zeros((1, 0))`.

    If the prediction has no batch axis, Keras squeezes data whose last axis has length 1. For such data, set
    `convert_to_tensor_fn=lambda distribution: distribution.sample(1)` in the distribution layer.

    Args:
        shape: Shape of the weight, an integer or a sequence of integers.
        dtype: Dtype of the weight.
        activation: Elementwise activation of the weight.
        initializer: Initializer of the weight. A `BlockwiseInitializer` initialises its parts separately.
        regularizer: Regularizer of the weight.
        constraint: Constraint on the weight.
        **kwargs: `name` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: Any input.

    Returns:
        activation(weight) of shape `shape`, without a batch axis. It is float32 under mixed precision.

    Raises:
        ValueError: If the shape is unknown or negative.

    Example:
        >>> model = keras.Sequential([
        ...     VariableLayer((4, 2)),
        ...     DistributionLambda(lambda t: tfd.Independent(tfd.Normal(t[..., 0], tf.nn.softplus(t[..., 1])), 1)),
        ... ])
        >>> model(tf.zeros([])).event_shape
        TensorShape([4])
    """

    def __init__(
        self,
        shape: Any,
        dtype: Any = None,
        activation: Any = None,
        initializer: Any = "zeros",
        regularizer: Any = None,
        constraint: Any = None,
        **kwargs: Any,
    ):
        # Parameters of a distribution stay float32 under mixed precision, so Keras must not cast them down.
        kwargs.setdefault("autocast", False)
        super().__init__(dtype=dtype.name if isinstance(dtype, tf.DType) else dtype, **kwargs)
        try:
            self.shape = event_shape_tuple(shape)
        except ValueError:
            raise ValueError(
                "The shape of a VariableLayer must be an integer or a sequence of integers, known when the layer is "
                f"created. Received: shape={shape!r}"
            ) from None
        self.activation = keras.activations.get(activation)
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.constraint = keras.constraints.get(constraint)
        # Created here and not in `build`, because it does not depend on the input shape.
        self.constant = self.add_weight(
            shape=self.shape,
            initializer=self.initializer,
            regularizer=self.regularizer,
            constraint=self.constraint,
            autocast=False,
            name="constant",
        )

    def build(self, *args: Any, **kwargs: Any) -> None:
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        return self.activation(tf.convert_to_tensor(self.constant))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> keras.KerasTensor:
        """Returns the shape and dtype of the weight, whatever the input."""
        return keras.KerasTensor(self.shape, dtype=self.variable_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "shape": self.shape,
            "activation": keras.activations.serialize(self.activation),
            "initializer": keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "constraint": keras.constraints.serialize(self.constraint),
        }
