"""A distribution made richer by a masked autoregressive flow."""

from typing import Any, ClassVar

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._coercion import DistributionTensor, as_distribution
from tfvae.layers._masked_autoregressive import masked_autoregressive_flow
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.networks import AutoregressiveNetwork
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


@register
class AutoregressiveTransform(DistributionLayer):
    """Sends a distribution p(u) through x_i = u_i * exp(log_scale(x_<i)) + shift(x_<i), a masked autoregressive flow.

    Its input is the distribution that another layer returned. `log_prob` is one pass of the network; a sample takes D
    passes, one an element.

    Args:
        made: the network of shift and log_scale, a `tfvae.networks.AutoregressiveNetwork` with `params=2`; its weights
            are made, trained and saved with this layer.
        **kwargs: see `DistributionLayer`; the default `convert_to_tensor_fn` is "sample", and there is no closed form
            of "mean" or "mode".

    Call arguments:
        inputs: a distribution of batch shape `[...]` and event shape `[..., D]`.

    Returns:
        `TransformedDistribution` of the same batch and event shape.

    Raises:
        TypeError: when `made` is no layer, or the input no distribution.
        ValueError: when `made` has other than 2 parameters or is conditional, or the input is of scalars.

    Example:
        Density estimation, of a model that takes no numbers:

        >>> model = keras.Sequential([
        ...     keras.Input((0,)),
        ...     DistributionLambda(lambda t: tfd.MultivariateNormalDiag(tf.zeros([tf.shape(t)[0], 2]), [1.0, 1.0])),
        ...     AutoregressiveTransform(AutoregressiveNetwork(params=2, hidden_units=[10], activation="relu")),
        ... ])
        >>> model.compile("adam", loss=lambda x, rv_x: -rv_x.log_prob(x))

    References:
        Papamakarios, Pavlakou & Murray, Masked Autoregressive Flow for Density Estimation, 2017, arXiv 1705.07057,
        section 3.
    """

    needs_input_shape: ClassVar[bool] = True

    def __init__(self, made: AutoregressiveNetwork | keras.layers.Layer, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(made, keras.layers.Layer):
            raise TypeError(
                "made is a Keras 3 layer: tfvae.networks.AutoregressiveNetwork(params=2, ...). "
                f"Received: {made!r} (of type {type(made).__name__})."
            )
        if getattr(made, "params", None) != 2:
            raise ValueError(
                "made has 2 parameters an element, a shift and a log_scale: AutoregressiveNetwork(params=2, ...). "
                f"Received: {made!r} with params={getattr(made, 'params', None)}."
            )
        if getattr(made, "conditional", False):
            raise ValueError(
                f"made takes one input, the elements before; '{made.name}' is conditional. Build it without "
                "conditional=True, and condition the distribution that comes in."
            )
        self.made = made

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        return getattr(self.made, "event_shape", None)

    def build(self, input_shape: Any) -> None:
        if not self.made.built:
            self.made.build((None, input_shape[-1]))
        self._build_regularizer()
        self.built = True

    def make_distribution(self, distribution: Distribution) -> Distribution:
        """The distribution of x, for `distribution` of u."""
        if distribution.event_shape.rank == 0:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' transforms vectors, but {distribution!r} is of scalars. Make its "
                "last batch axis an event axis: tfd.Independent(..., reinterpreted_batch_ndims=1)."
            )
        flow = masked_autoregressive_flow(
            lambda x: tf.unstack(tf.cast(self.made(x), x.dtype), num=2, axis=-1), validate_args=self.validate_args
        )
        return tfd.TransformedDistribution(distribution, flow, validate_args=self.validate_args, name=self.name)

    def _make(self, inputs: Distribution) -> DistributionTensor:
        if not isinstance(inputs, tfd.Distribution):
            raise TypeError(
                f"{type(self).__name__} '{self.name}' transforms the distribution that a distribution layer returned. "
                f"Received: {inputs!r}."
            )
        return DistributionTensor(self.make_distribution(as_distribution(inputs)), self._convert)

    def compute_output_spec(self, *args: Any, mask: Any = None, **kwargs: Any) -> keras.KerasTensor:
        """The converted value's shape, for some distribution whose own value has the input's."""
        inputs = args[0] if args else kwargs["inputs"]

        def value(u: Tensor) -> Tensor:
            return self._make(tfd.Independent(tfd.Normal(u, tf.ones_like(u)), 1)).value

        trace = tf.function(value, autograph=False)
        with keras.StatelessScope():  # a trace must not advance the seed
            made = trace.get_concrete_function(tf.TensorSpec(inputs.shape, inputs.dtype)).structured_outputs
        return keras.KerasTensor(made.shape, dtype=made.dtype.name)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "made": keras.saving.serialize_keras_object(self.made)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AutoregressiveTransform":
        return cls(**{**config, "made": keras.saving.deserialize_keras_object(config["made"])})
