"""Distribution layer for continuous data with moderately heavy tails."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import floor_raw_scale
from tfvae._serialization import register
from tfvae.layers._event_layers import EventShapeLayer
from tfvae.layers._event_shape import event_shape_or_tensor, event_size
from tfvae.typing import Distribution, Shape, Tensor


@register
class IndependentLogistic(EventShapeLayer):
    """Independent logistic variables, for continuous data with heavier tails than `IndependentNormal`.

    Args:
        event_shape: Shape of one event.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 * prod(event_shape)]`: all locs, then all raw scales.

    Returns:
        `Independent(Logistic(loc, softplus(raw_scale)))`, with standard deviation scale * pi / sqrt(3).

    Numerics:
        The scale is at least 1e-5. Above that, it equals TFP's scale bit for bit.
    """

    @staticmethod
    def new(
        params: Tensor, event_shape: Shape | int = (), validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """Creates the distribution from parameters `[..., 2 * prod(event_shape)]`."""
        loc, raw_scale = tf.split(tf.convert_to_tensor(params), 2, axis=-1)
        params = tf.concat([loc, floor_raw_scale(raw_scale)], axis=-1)
        return tfp.layers.IndependentLogistic.new(params, event_shape_or_tensor(event_shape), validate_args, name)

    @staticmethod
    def params_size(event_shape: Shape | int = (), name: str | None = None) -> int:
        """Returns the number of parameters of a distribution with this event shape."""
        return 2 * event_size(event_shape)
