"""Distribution layer that creates its distribution with a user's function."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import deserialize_function, register, serialize_function
from tfvae.layers._coercion import DistributionTensor, as_distribution
from tfvae.layers._stable import stable
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.typing import ConvertToTensorFn, Distribution

tfd = tfp.distributions


@register
class DistributionLambda(DistributionLayer):
    """Creates a distribution with a function of the layer's inputs.

    Prefer a dedicated layer if there is one: it defines its number of parameters and can always be saved. To save
    a model with this layer, register the function with Keras. A Python lambda cannot be saved.

    Args:
        make_distribution_fn: Function that takes the layer's call arguments and returns a `tfd.Distribution`.
        convert_to_tensor_fn: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        *args, **kwargs: Arguments of `make_distribution_fn`. Floating-point tensors are cast to float32, or to float64
            in a layer with `dtype="float64"`.

    Raises:
        TypeError: If the function does not return a distribution.

    Example:
        >>> layer = DistributionLambda(lambda t: tfd.Normal(loc=t, scale=1.0), "mean")
    """

    def __init__(
        self,
        make_distribution_fn: Callable[..., Distribution],
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, **kwargs)
        self.make_distribution_fn = deserialize_function(make_distribution_fn)
        if not callable(self.make_distribution_fn):
            raise TypeError(
                "`make_distribution_fn` must be a function that returns a tfd.Distribution. "
                f"Received: make_distribution_fn={make_distribution_fn!r}"
            )

    @property
    def _calls_user_function(self) -> bool:
        return True

    def build(self, *args: Any, **kwargs: Any) -> None:
        shape = args[0] if len(args) == 1 and not kwargs else None
        if isinstance(shape, tuple) and all(axis is None or isinstance(axis, int) for axis in shape):
            self._capture_variables((keras.KerasTensor(shape, dtype=self.parameters_dtype.name),), {})
        self._build_regularizer()
        self.built = True

    def make_distribution(self, *args: Any, **kwargs: Any) -> Distribution:
        distribution = self.make_distribution_fn(*args, **kwargs)
        if not isinstance(distribution, tfd.Distribution):
            raise TypeError(
                f"The function of DistributionLambda '{self.name}' must return a tfd.Distribution. "
                f"Received: {distribution!r} (of type {type(distribution).__name__})"
            )
        return stable(as_distribution(distribution))

    def call(self, inputs: Any, *args: Any, mask: Any = None, **kwargs: Any) -> DistributionTensor:
        return self._regularize(self._make(inputs, *args, **kwargs), mask)

    def _make(self, *args: Any, **kwargs: Any) -> DistributionTensor:
        args, kwargs = tf.nest.map_structure(self._cast_input, (args, kwargs))
        return DistributionTensor(self.make_distribution(*args, **kwargs), self._convert)

    def _cast_input(self, value: Any) -> Any:
        if not (isinstance(value, tf.Tensor) and value.dtype.is_floating):
            return value
        value = tf.cast(value, self.parameters_dtype)
        return self._check_finite(value) if self.validate_args else value

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "make_distribution_fn": serialize_function(self.make_distribution_fn, "make_distribution_fn"),
        }
