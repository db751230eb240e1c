"""Gaussian pixels."""

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
    """Independent normal variables, one a pixel: the paper's decoder for continuous data (appendix C.2).

    Data with few distinct values should be dequantised first (`Split.batches(..., dequantize=True)`): a density on
    them has no upper bound.

    Args:
        event_shape: shape of one event.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: `[..., 2 * prod(event_shape)]`: all locs, then all raw scales.

    Returns:
        `Independent(Normal(loc, softplus(raw_scale)))`.

    Numerics:
        The scale is no lower than 1e-5; above that it is TFP's to the last bit.
    """

    @staticmethod
    def new(
        params: Tensor, event_shape: Shape | int = (), validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """The distribution with these parameters `[..., 2 * prod(event_shape)]`."""
        with tf.name_scope(name or "IndependentNormal"):
            loc, raw_scale = tf.split(tf.convert_to_tensor(params, name="params"), 2, axis=-1)
            scale = tf.math.softplus(floor_raw_scale(raw_scale))
            normal = Normal(unflatten(loc, event_shape), unflatten(scale, event_shape), validate_args=validate_args)
            return tfd.Independent(normal, event_rank(event_shape), validate_args=validate_args)

    @staticmethod
    def params_size(event_shape: Shape | int = (), name: str | None = None) -> int:
        """The number of parameters a distribution of this event shape takes."""
        return 2 * event_size(event_shape)
