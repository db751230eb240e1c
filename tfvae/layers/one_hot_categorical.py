"""Distribution layer for one-hot vectors."""

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
    """Categorical variable whose events are one-hot vectors, such as a class label or a discrete latent.

    Prefer `IndependentCategorical` for several variables, or for events that are class indices.

    Args:
        event_size: Number of categories, D.
        convert_to_tensor_fn: See `DistributionLayer`.
        sample_dtype: Dtype of samples and modes. Defaults to the dtype of the parameters.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Logits `[..., D]`.

    Returns:
        `OneHotCategorical(logits)`. `log_prob(x)` is sum_i x_i log p_i, for one-hot vectors and for probabilities x.
        The mean is p. Samples have no gradient. A category with a logit of -inf never occurs.
    """

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_size, self.sample_dtype, self.validate_args)

    @staticmethod
    def new(
        params: Tensor, event_size: int, dtype: Any = None, validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """Creates the distribution from logits `params` `[..., event_size]`."""
        distribution = tfp.layers.OneHotCategorical.new(
            tf.convert_to_tensor(params), event_size_of(event_size), dtype, validate_args, name
        )
        return stable(distribution)

    @staticmethod
    def params_size(event_size: int, name: str | None = None) -> int:
        """Returns the number of parameters of a distribution of this size."""
        return event_size_of(event_size)
