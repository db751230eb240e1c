"""Distribution layer that transforms another distribution by a masked autoregressive flow."""

from typing import Any, ClassVar

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.flows._masked_autoregressive import masked_autoregressive_flow
from tfvae.layers._coercion import DistributionTensor, as_distribution
from tfvae.layers._flow_distribution import FlowDistribution, has_fixed_draws
from tfvae.layers._symbolic import symbolic_value
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.networks import AutoregressiveNetwork
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


@register
class AutoregressiveTransform(DistributionLayer):
    """Transforms a distribution p(u) by a masked autoregressive flow, x_i = u_i * exp(log_scale(x_<i)) + shift(x_<i).

    The input is the output of another distribution layer. `log_prob` takes one pass through the network. A sample takes
    D passes, one per element. With `inverse=True`, x_i = (u_i - shift(u_<i)) / exp(log_scale(u_<i)): a sample and its
    density take one pass, and the density of other values D passes. Prefer this for a posterior, from which training
    only draws.

    Args:
        made: The network that computes shift and log_scale, a `tfvae.networks.AutoregressiveNetwork` with `params=2`.
            Its weights are built, trained and saved with this layer.
        inverse: Whether to use the inverse flow.
        **kwargs: See `DistributionLayer`. The default `convert_to_tensor_fn` is "sample". "mode" has no closed form,
            nor has "mean".

    Call arguments:
        inputs: Distribution of batch shape `[...]` and event shape `[..., D]`.

    Returns:
        A `TransformedDistribution` of the same batch and event shape. If the input is a diagonal normal or a flow of
        one, `mean` and `stddev` are averages over 128 fixed draws; otherwise, they are not implemented.

    Raises:
        TypeError: If `made` is not a layer, or if the input is not a distribution.
        ValueError: If `made` does not have 2 parameters or is conditional, or if the input has scalar events.

    Example:
        Density estimation with a model that has no inputs:

        >>> model = keras.Sequential([
        ...     keras.Input((0,)),
        ...     DistributionLambda(lambda t: tfd.MultivariateNormalDiag(tf.zeros([tf.shape(t)[0], 2]), [1.0, 1.0])),
        ...     AutoregressiveTransform(AutoregressiveNetwork(params=2, hidden_units=[10], activation="relu")),
        ... ])
        >>> model.compile("adam", loss=lambda x, rv_x: -rv_x.log_prob(x))

    References:
        Papamakarios, Pavlakou & Murray, Masked Autoregressive Flow for Density Estimation, 2017, arXiv 1705.07057,
        section 3.
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow, 2016, arXiv 1606.04934,
        section 3, for `inverse=True`.
    """

    needs_input_shape: ClassVar[bool] = True

    def __init__(self, made: AutoregressiveNetwork | keras.layers.Layer, inverse: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(made, keras.layers.Layer):
            raise TypeError(
                "`made` must be a Keras 3 layer, such as tfvae.networks.AutoregressiveNetwork(params=2, ...). "
                f"Received: made={made!r} (of type {type(made).__name__})"
            )
        if getattr(made, "params", None) != 2:
            raise ValueError(
                "`made` must have 2 parameters per element, a shift and a log_scale. Use "
                f"AutoregressiveNetwork(params=2, ...). Received: made={made!r} with "
                f"params={getattr(made, 'params', None)}"
            )
        if getattr(made, "conditional", False):
            raise ValueError(
                f"`made` must have one input, but '{made.name}' is conditional. Create it without conditional=True, "
                f"and condition the input distribution instead. Received: made={made!r}"
            )
        self.made = made
        self.inverse = bool(inverse)

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        return getattr(self.made, "event_shape", None)

    def build(self, input_shape: Any) -> None:
        if not self.made.built:
            self.made.build((None, input_shape[-1]))
        self._build_regularizer()
        self.built = True

    def make_distribution(self, distribution: Distribution) -> Distribution:
        """Creates the distribution of x from the distribution of u."""
        if distribution.event_shape.rank == 0:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' requires a distribution of vectors, but its input is a "
                "distribution of scalars. Convert the last batch axis to an event axis: "
                f"tfd.Independent(..., reinterpreted_batch_ndims=1). Received: inputs={distribution!r}"
            )
        flow = masked_autoregressive_flow(
            lambda x: tf.unstack(tf.cast(self.made(x), x.dtype), num=2, axis=-1), validate_args=self.validate_args
        )
        if self.inverse:
            flow = tfp.bijectors.Invert(flow, validate_args=self.validate_args)
        transformed = FlowDistribution if has_fixed_draws(distribution) else tfd.TransformedDistribution
        return transformed(distribution, flow, validate_args=self.validate_args, name=self.name)

    def _make(self, inputs: Distribution) -> DistributionTensor:
        if not isinstance(inputs, tfd.Distribution):
            raise TypeError(
                f"{type(self).__name__} '{self.name}' transforms the distribution that a distribution layer returns. "
                f"Received: inputs={inputs!r}"
            )
        return DistributionTensor(self.make_distribution(as_distribution(inputs)), self._convert)

    def compute_output_spec(self, *args: Any, mask: Any = None, **kwargs: Any) -> keras.KerasTensor:
        """Returns the shape and dtype of the tensor value, for an input whose own value has the given spec."""
        inputs = args[0] if args else kwargs["inputs"]

        def value(u: Tensor) -> Any:
            return self._value_spec(self._make(tfd.Independent(tfd.Normal(u, tf.ones_like(u)), 1)))

        return symbolic_value(value, (inputs,))

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "made": keras.saving.serialize_keras_object(self.made)}
        return {**config, "inverse": True} if self.inverse else config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "AutoregressiveTransform":
        return cls(**{**config, "made": keras.saving.deserialize_keras_object(config["made"])})
