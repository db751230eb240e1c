"""A weight in place of an input."""

from typing import Any

import keras
import tensorflow as tf

from tfvae._serialization import register
from tfvae.layers._event_shape import event_shape_tuple
from tfvae.typing import Tensor


@register
class VariableLayer(keras.layers.Layer):
    """Ignores its input and returns its one weight: the parameters of a distribution that depends on nothing.

    The first layer of an unconditional model, before a distribution layer. Keras takes no Python number as a model's
    input: where a program for TFP calls `model(0.)`, call `model(tf.zeros([]))`. A model is built for the rank of the
    first input it sees, so one that is fitted with `x=np.zeros((n, 0))` is called with `np.zeros((1, 0))`.

    Keras squeezes data whose last axis has length 1 when the prediction has no batch axis; for such data give the
    distribution layer `convert_to_tensor_fn=lambda distribution: distribution.sample(1)`.

    Args:
        shape: of the weight: an int or a sequence of ints.
        dtype: of the weight.
        activation: applied to the weight, element by element.
        initializer: of the weight; a `BlockwiseInitializer` starts its parts differently.
        regularizer: of the weight.
        constraint: on the weight.
        **kwargs: `name` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: anything.

    Returns:
        activation(weight), of shape `shape`: there is no batch axis. Under mixed precision it stays float32.

    Raises:
        ValueError: when the shape is unknown, negative, or no vector.

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
                "The shape of a VariableLayer is an int or a sequence of ints, known when the layer is made. "
                f"Received: {shape!r}."
            ) from None
        self.activation = keras.activations.get(activation)
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.constraint = keras.constraints.get(constraint)
        # Made here, not in `build`: it depends on no input shape.
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
        """The weight's shape, whatever the input's is."""
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
