"""Distribution layer for continuous data."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import floor_raw_scale
from tfvae._serialization import register
from tfvae.layers._event_layers import EventShapeLayer
from tfvae.layers._event_shape import event_rank, event_size, unflatten
from tfvae.layers._normal import Normal
from tfvae.typing import Distribution, Shape, Tensor

tfd = tfp.distributions


@register
class IndependentNormal(EventShapeLayer):
    """Independent normal variables, one per pixel: the paper's decoder for continuous data (appendix C.2).

    Dequantise data with few distinct values first (`Split.batches(..., dequantize=True)`), because the density of such
    data has no upper bound.

    Args:
        event_shape: Shape of one event.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 * prod(event_shape)]`: all locs, then all raw scales.

    Returns:
        `Independent(Normal(loc, softplus(raw_scale)))`.

    Numerics:
        The scale is at least 1e-5. Above that, it equals TFP's scale bit for bit.
    """

    @staticmethod
    def new(
        params: Tensor, event_shape: Shape | int = (), validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """Creates the distribution from parameters `[..., 2 * prod(event_shape)]`."""
        with tf.name_scope(name or "IndependentNormal"):
            loc, raw_scale = tf.split(tf.convert_to_tensor(params, name="params"), 2, axis=-1)
            scale = tf.math.softplus(floor_raw_scale(raw_scale))
            normal = Normal(unflatten(loc, event_shape), unflatten(scale, event_shape), validate_args=validate_args)
            return tfd.Independent(normal, event_rank(event_shape), validate_args=validate_args)

    @staticmethod
    def params_size(event_shape: Shape | int = (), name: str | None = None) -> int:
        """Returns the number of parameters of a distribution with this event shape."""
        return 2 * event_size(event_shape)
