"""Distribution layer for counts."""

from typing import ClassVar

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import EventShapeLayer
from tfvae.layers._event_shape import event_shape_or_tensor, event_size
from tfvae.layers._stable import stable
from tfvae.typing import Distribution, Shape, Tensor

# exp(40) = 2e17 is beyond the integers that float64 represents exactly, and its square is finite in float32.
MAX_LOG_RATE = 40.0


@register
class IndependentPoisson(EventShapeLayer):
    """Independent Poisson variables, for unbounded counts, such as photons, words or molecules.

    Prefer `IndependentNegativeBinomial` for counts with a variance above their mean.

    Args:
        event_shape: Shape of one event.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Log rates `[..., prod(event_shape)]`.

    Returns:
        `Independent(Poisson(log_rate))`. Samples are integers in the dtype of the parameters.

    Numerics:
        The rate is at most exp(40), to avoid overflow. `log_prob` is precise for large counts, for which the usual
        formula x log(rate) - rate - log x! cancels.
    """

    support: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    @staticmethod
    def new(
        params: Tensor, event_shape: Shape | int = (), validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """Creates the distribution from log rates `params` `[..., prod(event_shape)]`."""
        params = tf.convert_to_tensor(params)
        # Straight-through gradient: a log rate above the limit can still decrease.
        limited = tf.minimum(params, tf.constant(MAX_LOG_RATE, params.dtype))
        params = tf.stop_gradient(limited) + (params - tf.stop_gradient(params))
        return stable(
            tfp.layers.IndependentPoisson.new(params, event_shape_or_tensor(event_shape), validate_args, name)
        )

    @staticmethod
    def params_size(event_shape: Shape | int = (), name: str | None = None) -> int:
        """Returns the number of parameters of a distribution with this event shape."""
        return event_size(event_shape)
