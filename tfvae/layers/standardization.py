"""Layer that standardises the input of an encoder."""

from typing import Any

import tensorflow as tf

from tfvae._numerics import as_float
from tfvae._serialization import register
from tfvae.layers._adapted import Adapted, float_dtype
from tfvae.typing import Tensor


@register
class Standardization(Adapted):
    """Subtracts the mean of each value of the data and divides by its standard deviation; `adapt` computes both.

    Use it as the first layer of an encoder, and `Standardized` for the likelihood of the decoder. The networks then
    receive values of about unit size, whatever the unit of the data. In contrast to `keras.layers.Normalization`, it
    has statistics per value instead of per channel, and no lower bound on the standard deviation.

    Args:
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    In a model of data with missing values, these are zero after the layer, as if they had the mean of the others.

    Call arguments:
        inputs: Data x `[B, *event]`.

    Returns:
        (x - loc) / scale, of the same shape. Before `adapt`, loc is 0 and scale is 1.

    Numerics:
        The layer computes in float32 under any mixed-precision policy, because unscaled data may overflow in half
        precision. The next layer casts the output.

    Example:
        >>> x = np.random.default_rng(0).normal(3e5, 2e5, (500, 4))
        >>> standardization = Standardization()
        >>> standardization.adapt(x)
        >>> likelihood = Standardized(IndependentNormal(4))
        >>> likelihood.adapt(x)
        >>> encoder = keras.Sequential([standardization, networks.mlp(4), MultivariateNormalDiag(2)])
        >>> decoder = keras.Sequential([networks.mlp(8), likelihood])
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"autocast": False, **kwargs, "dtype": float_dtype(kwargs.get("dtype"))})
        self.supports_masking = True

    @property
    def missing_value(self) -> Any:
        """Data that are zero after this layer, `[*event]`."""
        return self.loc

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape)[1:]
        if None in shape:
            raise ValueError(
                f"Standardization '{self.name}' has statistics per value, so every axis of an example must have a "
                f"known length. Received: input_shape={tuple(input_shape)}"
            )
        self._add_statistics(shape)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        x = as_float(inputs)
        return (x - tf.cast(self.loc, x.dtype)) / tf.cast(self.scale, x.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
