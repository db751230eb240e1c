"""Shared parts of the mixture layers: parameter splitting, the mixture distribution, and a base class."""

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
    """Returns the number of components as a Python int, or as an int32 tensor if it is known only at run time.

    Raises:
        ValueError: If it is not an integer of at least 1.
    """
    if is_symbolic(num_components):
        return tf.cast(num_components, tf.int32)
    return whole_number(
        tf.get_static_value(num_components) if tf.is_tensor(num_components) else num_components, "num_components"
    )


def mixture_params_size(num_components: Any, component_params_size: Any) -> Any:
    """Returns the number of parameters of a mixture: one logit and one set of parameters per component."""
    if is_symbolic(component_params_size):
        size = tf.cast(component_params_size, tf.int32)
    else:
        size = operator.index(component_params_size)
    return component_count(num_components) * (1 + size)


def split_mixture_params(params: Tensor, num_components: Any) -> tuple[Tensor, Tensor]:
    """Splits parameters `[..., K (1 + P)]` into logits `[..., K]` and component parameters `[..., K, P]`.

    Raises:
        ValueError: If the length of the last axis is known and is not a positive multiple of K.
    """
    params, number = tf.convert_to_tensor(params), component_count(num_components)
    width = params.shape[-1] if params.shape.rank else None
    if tf.is_tensor(number) or width is None:
        size = tf.shape(params)[-1] // number - 1
        logits, rest = tf.split(params, tf.stack([number, number * size]), axis=-1, num=2)
        return logits, tf.reshape(rest, tf.concat([tf.shape(params)[:-1], [number, size]], axis=0))
    if width % number or width < number:
        raise ValueError(
            f"A mixture of {number} components expects parameters of shape "
            f"[..., {number} * (1 + component_params_size)]: one logit and one set of parameters per component. Use "
            f"MixtureSameFamily.params_size to compute the size. Received: shape={params.shape}"
        )
    size = width // number - 1
    logits, rest = tf.split(params, [number, number * size], axis=-1)
    # No size is -1: it could not be inferred for zero examples, and would be unknown in a graph.
    return logits, tf.reshape(rest, tf.concat([tf.shape(params)[:-1], [number, size]], axis=0))


def log_sum_exp(log_values: Tensor, axis: int) -> Tensor:
    """Computes the log of a sum of exponentials, with a zero gradient if all terms are 0.

    The result is then -inf, and TensorFlow's gradient would be NaN.
    """
    is_zero = tf.reduce_all(tf.equal(log_values, -math.inf), axis=axis, keepdims=True)
    log_sum = tf.reduce_logsumexp(tf.where(is_zero, tf.zeros_like(log_values), log_values), axis=axis)
    return tf.where(tf.squeeze(is_zero, axis), tf.constant(-math.inf, log_sum.dtype), log_sum)


class UnbroadcastMixture(tfp.distributions.MixtureSameFamily):
    """Mixture whose mixture distribution and components have the same batch shape, so no broadcasting is needed.

    If the batch size is unknown, TFP broadcasts anyway. This takes time, loses static shapes, and divides by zero for
    zero examples.
    """

    def _get_distributions_with_broadcast_batch_shape(self) -> tuple[Distribution, Distribution]:
        return self.mixture_distribution, self.components_distribution

    def _log_prob(self, x: Tensor) -> Tensor:
        return log_sum_exp(self._per_mixture_component_log_prob(x), axis=-1)


class MixtureLayer(EventShapeLayer):
    """Base class of mixtures whose components have an event shape.

    Subclasses define the static methods `new` and `params_size`.

    Args:
        num_components: Number of components, K.
        event_shape: Shape of one event.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.
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
