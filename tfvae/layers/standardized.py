"""Any continuous likelihood, in the data's units."""

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
    """Makes the distribution of x = loc + scale * u, where another layer makes that of u: a likelihood in any unit.

    `loc` and `scale`, one number for each value of an example, are weights that `adapt` sets to mean and standard
    deviation of the data. So the network before it works with numbers of about unit size, while `log_prob`, `mean`,
    `stddev` and samples are in the data's units. `Standardization` does the same for the encoder.

    Args:
        layer: makes the distribution of u: a distribution layer of continuous values with a known event shape.
        convert_to_tensor_fn: see `DistributionLayer`; of x.
        validate_args: see `DistributionLayer`; u checks what `layer` tells it to.
        **kwargs: see `DistributionLayer`.

    Where each value has parameters of its own, as in `IndependentNormal`, a value that never changes in the data that
    `adapt` has seen gets no learned ones: its standard deviation stays 1. A learned one would shrink without end, and
    one other value in new data would cost any number of nats.

    Call arguments:
        inputs: what `layer` takes, `[..., params_size]`.

    Returns:
        A distribution of the same batch and event shape. Before `adapt`, loc is 0 and scale 1.

    Raises:
        TypeError: when `layer` is no distribution layer.
        ValueError: when its event shape is not known, its values are discrete, or it has an activity regularizer.

    Numerics:
        log_prob(x) is that of u = (x - loc) / scale, less the sum of log(scale): nothing large is subtracted.

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
                f"Received: layer={layer!r} (of type {type(layer).__name__})."
            )
        if layer.event_shape is None or layer.parameters_size is None:
            raise ValueError(
                f"`layer` must know its event shape before it is called, but {type(layer).__name__} '{layer.name}' "
                "does not. Use a layer that takes an event_shape, such as GenericDistribution."
            )
        if layer.distribution_regularizer is not None:
            raise ValueError(
                f"`layer` has an activity_regularizer, which would see standardised values. Give it to "
                f"Standardized instead. Received: layer={layer.name!r}."
            )
        self.layer = layer
        _require_continuous(layer)
        # XLA draws what it can draw of `layer`.
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

    def _fix(self, constant: np.ndarray) -> None:
        # Layers of independent values take all their first parameters, then all their second ones.
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
        """The distribution of loc + scale * u, for u of `layer` with the parameters `[..., params_size(layer)]`."""
        distribution = layer.make_distribution(params)
        return Affine(distribution, tf.cast(loc, distribution.dtype), tf.cast(scale, distribution.dtype))

    @staticmethod
    def params_size(layer: DistributionLayer, name: str | None = None) -> int:
        """The number of parameters that `layer` takes."""
        return int(layer.parameters_size or 0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Standardized":
        return cls(**{**config, "layer": keras.saving.deserialize_keras_object(config["layer"])})


def _require_continuous(layer: DistributionLayer) -> None:
    made = layer.make_distribution(tf.zeros([1, Standardized.params_size(layer)]))
    while inner := getattr(made, "components_distribution", None) or getattr(made, "distribution", None):
        made = inner
    if made.reparameterization_type != tfd.FULLY_REPARAMETERIZED:
        raise ValueError(
            f"`layer` must make a distribution of continuous values, which have a unit. {type(layer).__name__} "
            f"'{layer.name}' is one of discrete values: train it on the data as they are."
        )
