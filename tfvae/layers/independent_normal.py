"""Gaussian pixels."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import floor_raw_scale
from tfvae._serialization import register
from tfvae.layers._event_layers import EventShapeLayer
from tfvae.layers._event_shape import event_shape_or_tensor, event_size
from tfvae.typing import Distribution, Shape, Tensor


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
        loc, raw_scale = tf.split(tf.convert_to_tensor(params), 2, axis=-1)
        params = tf.concat([loc, floor_raw_scale(raw_scale)], axis=-1)
        return tfp.layers.IndependentNormal.new(params, event_shape_or_tensor(event_shape), validate_args, name)

    @staticmethod
    def params_size(event_shape: Shape | int = (), name: str | None = None) -> int:
        """The number of parameters a distribution of this event shape takes."""
        return 2 * event_size(event_shape)
