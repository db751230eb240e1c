"""Counts."""

from typing import ClassVar

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import EventShapeLayer
from tfvae.layers._event_shape import event_shape_or_tensor, event_size
from tfvae.layers._stable import stable
from tfvae.typing import Distribution, Shape, Tensor

# exp(40) is 2e17: past what float64 can count one by one, and small enough for its square to be a finite float32.
MAX_LOG_RATE = 40.0


@register
class IndependentPoisson(EventShapeLayer):
    """Independent Poisson variables: counts without an upper limit, such as photons, words or molecules.

    Prefer `IndependentNegativeBinomial` for counts that vary more than their mean.

    Args:
        event_shape: shape of one event.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: logs of the rates `[..., prod(event_shape)]`.

    Returns:
        `Independent(Poisson(log_rate))`; samples are whole numbers in the parameters' dtype.

    Numerics:
        The rate is no higher than exp(40), where it would soon overflow. `log_prob` keeps all digits at large counts,
        where x log(rate) - rate - log x! loses them.
    """

    support: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    @staticmethod
    def new(
        params: Tensor, event_shape: Shape | int = (), validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """The distribution with log rates `params` `[..., prod(event_shape)]`."""
        params = tf.convert_to_tensor(params)
        # Straight through: a log rate above the limit still learns to come down.
        limited = tf.minimum(params, tf.constant(MAX_LOG_RATE, params.dtype))
        params = tf.stop_gradient(limited) + (params - tf.stop_gradient(params))
        return stable(
            tfp.layers.IndependentPoisson.new(params, event_shape_or_tensor(event_shape), validate_args, name)
        )

    @staticmethod
    def params_size(event_shape: Shape | int = (), name: str | None = None) -> int:
        """The number of parameters a distribution of this event shape takes."""
        return event_size(event_shape)
