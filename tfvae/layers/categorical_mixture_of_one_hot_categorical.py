"""Distribution layer for a mixture of categorical distributions over one-hot vectors."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import size_config
from tfvae.layers._event_shape import event_size_of
from tfvae.layers._mixture import (
    UnbroadcastMixture,
    component_count,
    log_sum_exp,
    mixture_params_size,
    split_mixture_params,
)
from tfvae.layers._one_hot_layer import OneHotLayer
from tfvae.layers.one_hot_categorical import OneHotCategorical
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor

tfd = tfp.distributions


@register
class CategoricalMixtureOfOneHotCategorical(OneHotLayer):
    """Mixture of K categorical distributions over one-hot vectors: a low-rank factorisation of class probabilities.

    For a single component, prefer `OneHotCategorical`.

    Args:
        event_size: Number of categories, D.
        num_components: Number of components, K.
        convert_to_tensor_fn: See `DistributionLayer`. `lambda s: s.log_mean()` returns the log probabilities of the D
            categories, for losses that take logits.
        sample_dtype: Dtype of samples. Defaults to the dtype of the parameters.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., K (1 + D)]`: the K logits of the mixture, then the D logits of each component in turn.

    Returns:
        `MixtureSameFamily(Categorical(logits), OneHotCategorical(logits))` with an additional method `log_mean()`, of
        shape `[..., D]`.

    Numerics:
        `log_mean` is a log-sum-exp over the components, which stays finite if the mean underflows.
    """

    def __init__(
        self,
        event_size: int,
        num_components: int,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        sample_dtype: Any = None,
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_size, convert_to_tensor_fn, sample_dtype, validate_args, **kwargs)
        self.num_components = component_count(num_components)

    @property
    def parameters_size(self) -> int | None:
        return self._known_size(self.params_size(self.event_size, self.num_components))

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_size, self.num_components, self.sample_dtype, self.validate_args)

    @staticmethod
    def new(
        params: Tensor,
        event_size: int,
        num_components: int,
        dtype: Any = None,
        validate_args: bool = False,
        name: str | None = None,
    ) -> Distribution:
        """Creates the distribution from parameters `[..., params_size(event_size, num_components)]`."""
        logits, component_params = split_mixture_params(params, num_components)  # [..., K], [..., K, D]
        return _MixtureOfOneHotCategorical(
            tfd.Categorical(logits=logits, validate_args=validate_args),
            OneHotCategorical.new(component_params, event_size, dtype, validate_args),
            validate_args=validate_args,
            name=name or "CategoricalMixtureOfOneHotCategorical",
        )

    @staticmethod
    def params_size(event_size: int, num_components: int, name: str | None = None) -> int:
        """Returns the number of parameters of a mixture of this size."""
        return mixture_params_size(num_components, event_size_of(event_size))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_components": size_config(self.num_components, "num_components")}


class _MixtureOfOneHotCategorical(UnbroadcastMixture):
    """Mixture with a method for the log of its mean."""

    def log_mean(self, name: str = "log_mean") -> Tensor:
        """Computes the log probabilities of the categories `[..., D]`."""
        with tf.name_scope(name):
            log_weights = tf.nn.log_softmax(self.mixture_distribution.logits_parameter())  # [..., K]
            log_probs = tf.nn.log_softmax(self.components_distribution.logits_parameter())  # [..., K, D]
            return log_sum_exp(log_weights[..., tf.newaxis] + log_probs, axis=-2)
