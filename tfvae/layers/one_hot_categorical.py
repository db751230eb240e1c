"""One of several categories, as a one-hot vector."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_shape import event_size_of
from tfvae.layers._one_hot_layer import OneHotLayer
from tfvae.layers._stable import stable
from tfvae.typing import Distribution, Tensor


@register
class OneHotCategorical(OneHotLayer):
    """One categorical variable whose events are one-hot vectors: a class label, or a discrete latent.

    Prefer `IndependentCategorical` for many variables, or where events are class indices.

    Args:
        event_size: D, the number of categories.
        convert_to_tensor_fn: see `DistributionLayer`.
        sample_dtype: dtype of samples and modes; that of the parameters by default.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: logits `[..., D]`.

    Returns:
        `OneHotCategorical(logits)`; `log_prob(x)` is sum_i x_i log p_i, for probabilities x as well as for one-hot
        vectors, and its mean is p. Samples carry no gradient. A logit of -inf is a category that never occurs.
    """

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_size, self.sample_dtype, self.validate_args)

    @staticmethod
    def new(
        params: Tensor, event_size: int, dtype: Any = None, validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """The distribution with logits `params` `[..., event_size]`."""
        made = tfp.layers.OneHotCategorical.new(
            tf.convert_to_tensor(params), event_size_of(event_size), dtype, validate_args, name
        )
        return stable(made)

    @staticmethod
    def params_size(event_size: int, name: str | None = None) -> int:
        """The number of parameters a distribution of this size takes."""
        return event_size_of(event_size)
