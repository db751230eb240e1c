"""What layers with a kernel for points of the Poincare ball have in common."""

from typing import Any

import keras

from tfvae._poincare import checked_curvature
from tfvae.networks._checks import positive_size


class BallDense(keras.layers.Layer):
    """Base class of layers of points `[..., D]` with a kernel `[D, units]` and a bias `[units]`, which may be None."""

    def __init__(
        self,
        units: int,
        curvature: float = 1.0,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ):
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        self.units = positive_size(units, "units")
        self.curvature = checked_curvature(curvature)
        self.activation = keras.activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, z_shape: Any) -> None:
        shape = (z_shape[-1], self.units)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=self.kernel_initializer, autocast=False)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.units,), initializer=self.bias_initializer, autocast=False
            )
        self.built = True

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "curvature": self.curvature,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
