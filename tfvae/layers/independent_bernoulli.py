"""Distribution layer for binary images."""

from typing import Any, ClassVar

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._bernoulli import Bernoulli
from tfvae.layers._event_layers import EventShapeLayer
from tfvae.layers._event_shape import event_rank, event_size, unflatten
from tfvae.typing import ConvertToTensorFn, Distribution, Shape, Tensor

tfd = tfp.distributions


@register
class IndependentBernoulli(EventShapeLayer):
    """Independent Bernoulli variables, one per pixel: the paper's decoder for binary images (appendix C.1).

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`.
        convert_to_tensor_fn: See `DistributionLayer`.
        sample_dtype: Dtype of samples and modes. Defaults to the dtype of the parameters.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Logits `[..., prod(event_shape)]`.

    Returns:
        `Independent(Bernoulli(logits))`. For x in [0, 1], `log_prob(x)` is
        sum_i x_i log p_i + (1 - x_i) log(1 - p_i). For gray values, this is a cross-entropy and not a density.
    """

    support: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __init__(
        self,
        event_shape: Shape | int = (),
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        sample_dtype: Any = None,
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_shape, convert_to_tensor_fn, validate_args, **kwargs)
        self.sample_dtype = None if sample_dtype is None else tf.as_dtype(sample_dtype)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self._event_shape, self.sample_dtype, self.validate_args)

    @staticmethod
    def new(
        params: Tensor,
        event_shape: Shape | int = (),
        dtype: Any = None,
        validate_args: bool = False,
        name: str | None = None,
    ) -> Distribution:
        """Creates the distribution from logits `params` `[..., prod(event_shape)]`."""
        with tf.name_scope(name or "IndependentBernoulli"):
            params = tf.convert_to_tensor(params, name="params")
            logits = unflatten(params, event_shape)
            pixels = Bernoulli(logits, dtype=dtype or params.dtype, validate_args=validate_args)
            return tfd.Independent(pixels, event_rank(event_shape), validate_args=validate_args)

    @staticmethod
    def params_size(event_shape: Shape | int = (), name: str | None = None) -> int:
        """Returns the number of parameters of a distribution with this event shape."""
        return event_size(event_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "sample_dtype": None if self.sample_dtype is None else self.sample_dtype.name,
        }
