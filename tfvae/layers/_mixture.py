"""What the mixture layers share: which parameters are whose, the mixture, and the layer for those of an event shape."""

import math
import operator
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._checks import whole_number
from tfvae.layers._event_layers import EventShapeLayer, size_config
from tfvae.layers._event_shape import is_symbolic
from tfvae.typing import ConvertToTensorFn, Distribution, Shape, Tensor


def component_count(num_components: Any) -> Any:
    """K as a plain int, or as an int32 tensor where its value shows only when a graph runs.

    Raises:
        ValueError: when it is not an integer of at least 1.
    """
    if is_symbolic(num_components):
        return tf.cast(num_components, tf.int32)
    return whole_number(
        tf.get_static_value(num_components) if tf.is_tensor(num_components) else num_components, "num_components"
    )


def mixture_params_size(num_components: Any, component_params_size: Any) -> Any:
    """One logit and one set of parameters a component."""
    if is_symbolic(component_params_size):
        size = tf.cast(component_params_size, tf.int32)
    else:
        size = operator.index(component_params_size)
    return component_count(num_components) * (1 + size)


def split_mixture_params(params: Tensor, num_components: Any) -> tuple[Tensor, Tensor]:
    """Logits and component parameters: `[..., K (1 + P)]` -> `[..., K]`, `[..., K, P]`.

    Raises:
        ValueError: when the last axis is known and no such multiple of K.
    """
    params, number = tf.convert_to_tensor(params), component_count(num_components)
    width = params.shape[-1] if params.shape.rank else None
    if tf.is_tensor(number) or width is None:
        size = tf.shape(params)[-1] // number - 1
        logits, rest = tf.split(params, tf.stack([number, number * size]), axis=-1, num=2)
        return logits, tf.reshape(rest, tf.concat([tf.shape(params)[:-1], [number, size]], axis=0))
    if width % number or width < number:
        raise ValueError(
            f"A mixture of {number} components takes parameters [..., {number} * (1 + component_params_size)]: "
            f"a logit and {number} times the parameters of one component. Received shape {params.shape}. "
            "MixtureSameFamily.params_size gives the number."
        )
    size = width // number - 1
    logits, rest = tf.split(params, [number, number * size], axis=-1)
    # All sizes are given, none is -1: a reshape of no examples could not tell it, and it would be unknown in a graph.
    return logits, tf.reshape(rest, tf.concat([tf.shape(params)[:-1], [number, size]], axis=0))


def log_sum_exp(log_values: Tensor, axis: int) -> Tensor:
    """Log of the sum of exponentials; where all are 0 it is -inf, and its gradient zero where TensorFlow's is NaN."""
    is_zero = tf.reduce_all(tf.equal(log_values, -math.inf), axis=axis, keepdims=True)
    found = tf.reduce_logsumexp(tf.where(is_zero, tf.zeros_like(log_values), log_values), axis=axis)
    return tf.where(tf.squeeze(is_zero, axis), tf.constant(-math.inf, found.dtype), found)


class UnbroadcastMixture(tfp.distributions.MixtureSameFamily):
    """A mixture whose choice and components have the same batch shape, so that nothing has to be broadcast.

    TFP broadcasts all the same where it does not know the batch size, which costs time and static shapes, and divides
    by zero when there are no examples.
    """

    def _get_distributions_with_broadcast_batch_shape(self) -> tuple[Distribution, Distribution]:
        return self.mixture_distribution, self.components_distribution

    def _log_prob(self, x: Tensor) -> Tensor:
        return log_sum_exp(self._per_mixture_component_log_prob(x), axis=-1)


class MixtureLayer(EventShapeLayer):
    """A mixture whose components have an event shape; a concrete one declares `new` and `params_size`, both static.

    Args:
        num_components: K, the number of components.
        event_shape: shape of one event.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.
    """

    def __init__(
        self,
        num_components: int,
        event_shape: Shape | int = (),
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_shape, convert_to_tensor_fn, validate_args, **kwargs)
        self.num_components = component_count(num_components)

    @property
    def parameters_size(self) -> int | None:
        return self._known_size(self.params_size(self.num_components, self._event_shape))

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.num_components, self._event_shape, self.validate_args)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_components": size_config(self.num_components, "num_components")}
