"""Distribution layer for mixtures of any family."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import deserialize_function, register, serialize_function
from tfvae.layers._coercion import as_distribution
from tfvae.layers._event_layers import size_config
from tfvae.layers._event_shape import is_symbolic
from tfvae.layers._mixture import UnbroadcastMixture, component_count, mixture_params_size, split_mixture_params
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor

tfd = tfp.distributions


@register
class MixtureSameFamily(DistributionLayer):
    """Mixture of K distributions of one family, created by another layer: a mixture density network.

    For normal or logistic components, prefer `MixtureNormal` or `MixtureLogistic`, whose `params_size` takes an event
    shape.

    Args:
        num_components: Number of components, K.
        component_layer: Distribution layer that creates the components, a Keras layer or model that ends in one, or a
            function. It maps parameters `[..., K, component_params_size]` to a distribution of batch shape `[..., K]`.
            The weights of a layer are trained with this layer.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`. `component_layer` determines the checks of the components.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., K (1 + component_params_size)]`: the K logits of the mixture, then the parameters of
            each component in turn.

    Returns:
        `MixtureSameFamily(Categorical(logits), components)` of batch shape `[...]`. Train it with `log_prob`, because
        its samples are not reparameterised: their gradient reaches the sampled component, but not the logits.

    Raises:
        TypeError: If `component_layer` is not callable, or if it does not return a distribution.
        ValueError: If `component_layer` does not return K components per batch member, or if it has an activity
            regulariser.

    Example:
        >>> layer = MixtureSameFamily(5, IndependentNormal((2,)))
        >>> dense = keras.layers.Dense(MixtureSameFamily.params_size(5, IndependentNormal.params_size((2,))))

    References:
        C. M. Bishop, Mixture density networks, 1994, Aston University NCRG/94/004.
    """

    def __init__(
        self,
        num_components: int,
        component_layer: Callable[[Tensor], Distribution],
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, validate_args, **kwargs)
        self.num_components = component_count(num_components)
        self.component_layer = deserialize_function(component_layer)
        if not callable(self.component_layer):
            raise TypeError(
                "`component_layer` must be a layer or a function from parameters "
                "[..., num_components, component_params_size] to a distribution, such as "
                f"tfvae.layers.IndependentNormal(event_shape). Received: component_layer={component_layer!r}"
            )
        if getattr(self.component_layer, "distribution_regularizer", None) is not None:
            raise ValueError(
                "`component_layer` must not have an activity_regularizer, because it would regularise each component "
                "instead of the mixture. Pass the regulariser to MixtureSameFamily. "
                f"Received: component_layer='{self.component_layer.name}'"
            )
        # The range of values for `log_prob` is that of the components.
        self.support = getattr(self.component_layer, "support", None)  # type: ignore[misc]

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        return getattr(self.component_layer, "event_shape", None)

    @property
    def parameters_size(self) -> int | None:
        size = getattr(self.component_layer, "parameters_size", None)
        return None if size is None else self._known_size(self.params_size(self.num_components, size))

    @property
    def _calls_user_function(self) -> bool:
        return super()._calls_user_function or not isinstance(self.component_layer, keras.layers.Layer)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        layer, width = self.component_layer, None if input_shape is None else input_shape[-1]
        known = width is not None and not is_symbolic(self.num_components)
        if isinstance(layer, keras.layers.Layer) and not layer.built and known:
            layer.build((*input_shape[:-1], self.num_components, width // self.num_components - 1))

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.num_components, self.component_layer, self.validate_args)

    @staticmethod
    def new(
        params: Tensor,
        num_components: int,
        component_layer: Callable[[Tensor], Distribution],
        validate_args: bool = False,
        name: str | None = None,
    ) -> Distribution:
        """Creates the distribution from parameters `[..., params_size(num_components, component_params_size)]`."""
        logits, component_params = split_mixture_params(params, num_components)  # [..., K], [..., K, P]
        output = component_layer(component_params)
        if not isinstance(output, tfd.Distribution):
            raise TypeError(
                f"`component_layer` must return a tfd.Distribution. Received: an object of type {type(output).__name__}"
            )
        components = as_distribution(output)
        if components.batch_shape.rank is not None and components.batch_shape[-1:] != logits.shape[-1:]:
            raise ValueError(
                f"For parameters of shape {component_params.shape}, `component_layer` must return a distribution of "
                f"batch shape {component_params.shape[:-1]}. Received: {components!r}"
            )
        if components.dtype.is_floating:  # a component layer casts to its dtype
            logits = tf.cast(logits, components.dtype)
        mixture = tfd.MixtureSameFamily if logits.shape.is_fully_defined() else UnbroadcastMixture
        return mixture(
            tfd.Categorical(logits=logits, validate_args=validate_args),
            components,
            validate_args=validate_args,
            name=name or "MixtureSameFamily",
        )

    @staticmethod
    def params_size(num_components: int, component_params_size: int, name: str | None = None) -> int:
        """Returns the number of parameters of a mixture from the number of parameters of one component."""
        return mixture_params_size(num_components, component_params_size)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_components": size_config(self.num_components, "num_components"),
            "component_layer": serialize_function(self.component_layer, "component_layer"),
        }
