"""Gaussian pixels."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import floor_raw_scale
from tfvae._serialization import register
from tfvae.layers._event_shape import event_shape_tuple, event_size
from tfvae.layers.distribution_layer import DistributionLayer
from tfvae.typing import ConvertToTensorFn, Distribution, Shape, Tensor

tfd = tfp.distributions


@register
class IndependentNormal(DistributionLayer):
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

    def __init__(
        self,
        event_shape: Shape | int = (),
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(convert_to_tensor_fn, validate_args, **kwargs)
        self._event_shape = event_shape_tuple(event_shape)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self._event_shape

    @property
    def parameters_size(self) -> int:
        return self.params_size(self.event_shape)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_shape, self.validate_args)

    @staticmethod
    def new(
        params: Tensor, event_shape: Shape | int = (), validate_args: bool = False, name: str | None = None
    ) -> Distribution:
        """The distribution with these parameters `[..., 2 * prod(event_shape)]`."""
        loc, raw_scale = tf.split(tf.convert_to_tensor(params), 2, axis=-1)
        params = tf.concat([loc, floor_raw_scale(raw_scale)], axis=-1)
        return tfp.layers.IndependentNormal.new(params, event_shape_tuple(event_shape), validate_args, name)

    @staticmethod
    def params_size(event_shape: Shape | int = (), name: str | None = None) -> int:
        """The number of parameters a distribution of this event shape takes."""
        return 2 * event_size(event_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "event_shape": self.event_shape}
