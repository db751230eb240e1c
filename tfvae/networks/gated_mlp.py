"""Fully connected network with gated hidden layers."""

from collections.abc import Sequence
from typing import Any

import keras

from tfvae._serialization import register
from tfvae.networks._checks import positive_size, positive_sizes
from tfvae.typing import Tensor


@register
class GatedDense(keras.layers.Layer):
    """Dense layer whose units are multiplied by gates between 0 and 1: f(W x + b) * sigmoid(V x + c).

    Args:
        units: Number of units.
        activation: Activation f of the values. None is the identity, as in the papers.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Values `[..., inputs]`.

    Returns:
        The gated units `[..., units]`.

    Raises:
        ValueError: If `units` is not an integer of at least 1, or Keras does not know the activation.

    References:
        Dauphin, Fan, Auli & Grangier, Language Modeling with Gated Convolutional Networks, 2017, arXiv 1612.08083,
        equation 1.
    """

    def __init__(self, units: int, activation: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = positive_size(units, "units")
        self.activation = keras.activations.get(activation)
        self.values = keras.layers.Dense(self.units, activation=self.activation, dtype=self.dtype_policy, name="values")
        self.gate = keras.layers.Dense(self.units, activation="sigmoid", dtype=self.dtype_policy, name="gate")

    def build(self, x_shape: Any) -> None:
        self.values.build(x_shape)
        self.gate.build(x_shape)
        self.built = True

    def call(self, x: Tensor) -> Tensor:
        return self.values(x) * self.gate(x)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
        }


def gated_mlp(
    output_size: int, hidden: Sequence[int] = (300, 300), activation: str = "linear", *, name: str | None = None
) -> keras.Sequential:
    """Creates a fully connected network with gated hidden layers, as in the paper of the VampPrior.

    Args:
        output_size: Number of outputs, `params_size(...)` of the next distribution layer.
        hidden: Number of units of each hidden layer. The paper uses two layers of 300 units.
        activation: Activation of the values that are gated. The paper has none ("linear").
        name: Name of the model.

    Returns:
        A model from `[B, *event]`, which it flattens, to `[B, output_size]`. Its hidden layers are `GatedDense`, its
        last layer is not gated.

    Raises:
        ValueError: If a size is below 1.

    References:
        Tomczak & Welling, VAE with a VampPrior, 2018, arXiv 1705.07120, section 4.
    """
    hidden = positive_sizes(hidden, "hidden")
    output_size = positive_size(output_size, "output_size")
    layers = [GatedDense(size, activation) for size in hidden]
    return keras.Sequential([keras.layers.Flatten(), *layers, keras.layers.Dense(output_size)], name=name)
