"""Pre-activation residual block."""

from typing import Any

import keras

from tfvae._serialization import register
from tfvae.networks._spatial import convolution, spatial_axes
from tfvae.typing import Tensor

_KERNEL_SIZE = 3
_MAX_GROUPS, _MIN_CHANNELS_PER_GROUP = 8, 4

NORMALIZATIONS = ("layer", "group", "none")


@register
class ResidualBlock(keras.layers.Layer):
    """Residual block x + f(x), where f is twice: normalisation, activation, then a convolution or dense layer.

    It keeps the shape of its input. The layers are convolutions over the axes between the batch and the channels, and
    dense for vectors.

    Args:
        normalization: "layer" normalises the channels of each position, "group" each of up to 8 groups of at least 4
            channels over all positions, "none" nothing. Neither depends on the other examples of a batch, so that
            the bound of an example is a number of its own.
        activation: Activation after each normalisation.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: Values `[B, channels]` or `[B, ..., channels]` with 1 to 3 spatial axes.

    Returns:
        Values of the shape of `x`.

    Raises:
        ValueError: If the normalisation is not one of these, Keras does not know the activation, or the input has more
            than 3 spatial axes.

    References:
        He, Zhang, Ren & Sun, Identity Mappings in Deep Residual Networks, 2016, arXiv 1603.05027, figure 1b.
        Ba, Kiros & Hinton, Layer Normalization, 2016, arXiv 1607.06450.
        Wu & He, Group Normalization, 2018, arXiv 1803.08494.
    """

    def __init__(self, normalization: str = "group", activation: Any = "swish", **kwargs: Any):
        super().__init__(**kwargs)
        self.normalization = known_normalization(normalization)
        self.activation = keras.activations.get(activation)
        self.branch: list[keras.layers.Layer] = []

    def build(self, x_shape: Any) -> None:
        channels, num_axes = x_shape[-1], len(x_shape) - 2
        branch = []
        for _ in range(2):
            branch += normalized(self.normalization, self.activation, channels, self.dtype_policy)
            branch.append(
                convolution(spatial_axes(num_axes), channels, _KERNEL_SIZE, self.dtype_policy)
                if num_axes
                else keras.layers.Dense(channels, dtype=self.dtype_policy)
            )
        for layer in branch:
            layer.build(x_shape)
        self.branch = branch
        self.built = True

    def call(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.branch:
            y = layer(y)
        return x + y

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "normalization": self.normalization,
            "activation": keras.activations.serialize(self.activation),
        }


def known_normalization(normalization: str) -> str:
    """Returns the normalisation.

    Raises:
        ValueError: If it is not one of NORMALIZATIONS.
    """
    if normalization not in NORMALIZATIONS:
        raise ValueError(
            f"`normalization` must be one of {', '.join(map(repr, NORMALIZATIONS))}. "
            f"Received: normalization={normalization!r}"
        )
    return normalization


def normalized(normalization: str, activation: Any, channels: int, dtype: Any = None) -> list[keras.layers.Layer]:
    """Creates the layers before a convolution or dense layer: a normalisation, if any, and an activation."""
    layers = {
        "layer": lambda: [keras.layers.LayerNormalization(dtype=dtype)],
        "group": lambda: [keras.layers.GroupNormalization(_num_groups(channels), dtype=dtype)],
        "none": list,
    }[normalization]()
    return [*layers, keras.layers.Activation(activation, dtype=dtype)]


def _num_groups(channels: int) -> int:
    """Returns the largest number of groups of the same size that is allowed."""
    most = max(1, min(_MAX_GROUPS, channels // _MIN_CHANNELS_PER_GROUP))
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)
