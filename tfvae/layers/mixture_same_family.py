"""A mixture of whatever another layer makes."""

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
    """A mixture of K distributions of one family, which another layer makes: a mixture density network.

    Prefer `MixtureNormal` or `MixtureLogistic` for those families: they know their `params_size` from an event shape.

    Args:
        num_components: K, the number of components.
        component_layer: makes the components: a distribution layer, any Keras layer or model that ends in one, or a
            function, from parameters `[..., K, component_params_size]` to a distribution of batch shape `[..., K]`.
            A layer's weights train with this one's.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`; the components check what `component_layer` tells them to.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: `[..., K (1 + component_params_size)]`: the K logits of the mixture, then one component after another.

    Returns:
        `MixtureSameFamily(Categorical(logits), components)` of batch shape `[...]`. Train it through `log_prob`: its
        samples are not reparameterised, their gradient reaches the drawn component but never the logits.

    Raises:
        TypeError: when `component_layer` is not callable, or what it makes is no distribution.
        ValueError: when it makes no K components a batch member, or regularises them.

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
                "component_layer is a layer or a function from parameters [..., num_components, component_params_size] "
                "to a distribution, such as tfvae.layers.IndependentNormal(event_shape). "
                f"Received: {component_layer!r}."
            )
        if getattr(self.component_layer, "distribution_regularizer", None) is not None:
            raise ValueError(
                f"The component layer '{self.component_layer.name}' has an activity_regularizer, which would "
                "regularise each component as if it were the mixture. Give it to MixtureSameFamily instead."
            )
        # The values for which log_prob is meant are those of the components.
        self.support = getattr(self.component_layer, "support", None)  # type: ignore[misc]

    @property
    def event_shape(self) -> tuple[int, ...] | None:
        return getattr(self.component_layer, "event_shape", None)

    @property
    def parameters_size(self) -> int | None:
        size = getattr(self.component_layer, "parameters_size", None)
        return None if size is None else self._known_size(self.params_size(self.num_components, size))

    @property
    def _runs_given_code(self) -> bool:
        return super()._runs_given_code or not isinstance(self.component_layer, keras.layers.Layer)

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
        """The distribution with these parameters `[..., params_size(num_components, component_params_size)]`."""
        logits, component_params = split_mixture_params(params, num_components)  # [..., K], [..., K, P]
        made = component_layer(component_params)
        if not isinstance(made, tfd.Distribution):
            raise TypeError(
                f"The component layer must make a tfd.Distribution. Received an object of type {type(made).__name__}."
            )
        components = as_distribution(made)
        if components.batch_shape.rank is not None and components.batch_shape[-1:] != logits.shape[-1:]:
            raise ValueError(
                f"The component layer was given parameters of shape {component_params.shape} and must make a "
                f"distribution of batch shape {component_params.shape[:-1]}. Received {components!r}."
            )
        if components.dtype.is_floating:  # a component layer casts to its own dtype
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
        """The number of parameters of a mixture, from that of one component."""
        return mixture_params_size(num_components, component_params_size)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_components": size_config(self.num_components, "num_components"),
            "component_layer": serialize_function(self.component_layer, "component_layer"),
        }
