"""Data of any unit for an encoder."""

from typing import Any

import keras
import tensorflow as tf

from tfvae._numerics import as_float
from tfvae._serialization import register
from tfvae.layers._adapted import Adapted
from tfvae.typing import Tensor


@register
class Standardization(Adapted):
    """Subtracts the mean of each value of the data and divides by its standard deviation, which `adapt` measures.

    Put it first in an encoder, and `Standardized` around the likelihood of the decoder: then the networks see numbers
    of about unit size whatever the unit of the data is. Unlike `keras.layers.Normalization` it has statistics of each
    value, not of each channel, and no least standard deviation.

    Args:
        **kwargs: `name`, `dtype` of `keras.layers.Layer`.

    Call arguments:
        inputs: data `[B, *event]`.

    Returns:
        (x - loc) / scale, of the same shape. Before `adapt`, loc is 0 and scale 1.

    Numerics:
        Computes in float32 under any mixed-precision policy, where data in their units may overflow; the layers after
        it cast.

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
        # A Sequential casts its input to the compute dtype of its first layer, so that must not be a half one.
        policy = keras.dtype_policies.get(kwargs.pop("dtype", None))
        dtype = "float64" if policy.variable_dtype == "float64" else "float32"
        super().__init__(**{"autocast": False, **kwargs, "dtype": dtype})
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape)[1:]
        if None in shape:
            raise ValueError(
                f"Standardization '{self.name}' has statistics of each value, so every axis of an example must have a "
                f"known length. Received shape {tuple(input_shape)}."
            )
        self._add_statistics(shape)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        x = as_float(inputs)
        return (x - tf.cast(self.loc, x.dtype)) / tf.cast(self.scale, x.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
