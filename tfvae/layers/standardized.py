"""Distribution layer for a continuous likelihood in the units of the data."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._adapted import Adapted
from tfvae.layers._affine import Affine
from tfvae.layers._event_layers import EventShapeLayer
from tfvae.layers._mixture import MixtureLayer
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor

tfd = tfp.distributions


@register
class Standardized(DistributionLayer, Adapted):
    """Distribution of x = loc + scale * u, where another layer creates the distribution of u.

    The weights `loc` and `scale` have one number per value of an example. `adapt` sets them to the mean and the
    standard deviation of the data. The network before this layer then works with values of about unit size, and
    `log_prob`, `mean`, `stddev` and samples are in the units of the data. `Standardization` does the same for the
    encoder.

    If each value has its own parameters, as in `IndependentNormal`, a value that is constant in the data of `adapt` has
    no learned parameters, and its standard deviation stays 1. A learned standard deviation would shrink without limit,
    and a different value in new data would then have an arbitrarily low log density.

    Args:
        layer: Distribution layer for u, of continuous values and with a known event shape.
        convert_to_tensor_fn: See `DistributionLayer`. It applies to the distribution of x.
        validate_args: See `DistributionLayer`. `layer` determines the checks of u.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters of `layer`, `[..., params_size]`.

    Returns:
        A distribution with the batch and event shape of u. Before `adapt`, loc is 0 and scale is 1.

    Raises:
        TypeError: If `layer` is not a distribution layer.
        ValueError: If the event shape of `layer` is unknown, its values are discrete, or it has an activity
            regulariser.

    Numerics:
        log_prob(x) is the log density of u = (x - loc) / scale minus the sum of log(scale), without cancellation.

    Example:
        >>> likelihood = Standardized(IndependentNormal(2))
        >>> likelihood.adapt(np.array([[1e6, 1e-6], [3e6, 5e-6]]))
        >>> likelihood(tf.zeros([1, 4])).mean().numpy()
        array([[2.e+06, 3.e-06]], dtype=float32)
    """

    def __init__(
        self,
        layer: DistributionLayer,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, validate_args, **kwargs)
        if not isinstance(layer, DistributionLayer):
            raise TypeError(
                "`layer` must be a distribution layer, such as tfvae.layers.IndependentNormal(event_shape). "
                f"Received: layer={layer!r} (of type {type(layer).__name__})"
            )
        if layer.event_shape is None or layer.parameters_size is None:
            raise ValueError(
                "`layer` must have a known event shape before it is called. Use a layer with an argument "
                f"`event_shape`, such as GenericDistribution. Received: layer={layer!r}"
            )
        if layer.distribution_regularizer is not None:
            raise ValueError(
                "`layer` must not have an activity_regularizer, because it would regularise the distribution of "
                f"standardised values. Pass the regulariser to Standardized. Received: layer={layer!r}"
            )
        self.layer = layer
        _require_continuous(layer)
        # XLA can draw x if it can draw u.
        self.supports_jit = self.supports_jit and (layer.samples_under_xla or not self.convert_to_tensor_fn.takes_seed)
        self._add_statistics(layer.event_shape)
        self.gate = self.add_weight(name="gate", shape=(layer.parameters_size,), initializer="ones", trainable=False)

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        return self.layer.event_shape

    @property
    def parameters_size(self) -> int | None:
        return self.layer.parameters_size

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if not self.layer.built:
            self.layer.build(input_shape)

    def _handle_constant_values(self, constant: np.ndarray) -> None:
        # Layers of independent values order parameters by kind: all first parameters, then all second parameters.
        if isinstance(self.layer, EventShapeLayer) and not isinstance(self.layer, MixtureLayer):
            num_parameters = self.params_size(self.layer)
            self.gate.assign(np.tile(1.0 - constant.ravel(), num_parameters // constant.size))
            fixed = np.asarray(self.layer.make_distribution(tf.zeros([num_parameters])).stddev())
            unit = np.divide(1.0, fixed, out=np.ones_like(fixed), where=np.isfinite(fixed) & (fixed > 0.0))
            self.scale.assign(np.where(constant, unit, self.scale))

    def make_distribution(self, parameters: Tensor) -> Distribution:
        parameters = tf.convert_to_tensor(parameters)
        return self.new(parameters * tf.cast(self.gate, parameters.dtype), self.layer, self.loc, self.scale)

    @staticmethod
    def new(params: Tensor, layer: DistributionLayer, loc: Tensor, scale: Tensor) -> Distribution:
        """Creates the distribution of loc + scale * u, where u follows `layer` with parameters `[..., params_size]`."""
        distribution = layer.make_distribution(params)
        return Affine(distribution, tf.cast(loc, distribution.dtype), tf.cast(scale, distribution.dtype))

    @staticmethod
    def params_size(layer: DistributionLayer, name: str | None = None) -> int:
        """Returns the number of parameters of `layer`."""
        return int(layer.parameters_size or 0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Standardized":
        return cls(**{**config, "layer": keras.saving.deserialize_keras_object(config["layer"])})


def _require_continuous(layer: DistributionLayer) -> None:
    base = layer.make_distribution(tf.zeros([1, Standardized.params_size(layer)]))
    while inner := getattr(base, "components_distribution", None) or getattr(base, "distribution", None):
        base = inner
    if base.reparameterization_type != tfd.FULLY_REPARAMETERIZED:
        raise ValueError(
            "`layer` must create a distribution of continuous values. Discrete values have no unit, so use the layer "
            f"directly on the original data. Received: layer={layer!r}"
        )
