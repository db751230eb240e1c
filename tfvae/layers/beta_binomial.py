"""Counts out of a known number."""

from typing import Any

import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import EventShapeLayer
from tfvae.layers._event_shape import event_shape_tuple, event_size_of
from tfvae.layers._parameterization import Parameterization
from tfvae.typing import ConvertToTensorFn, Distribution, Shape, Tensor

tfd = tfp.distributions


@register
class BetaBinomial(EventShapeLayer):
    """Independent beta-binomial variables: counts 0 ... total_count, with a spread that the model learns.

    For ratings, answers out of so many, or pixels 0 ... 255 as whole numbers.

    Args:
        event_shape: shape of one event.
        total_count: the number of trials of each variable, at least 1.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: `[..., 2 * prod(event_shape)]`: all raw concentration1, then all raw concentration0.

    Returns:
        `Independent(BetaBinomial(total_count, concentration1, concentration0))`.

    Numerics:
        Concentrations are softplus of the raw values, no lower than 1e-5.
    """

    # TFP's binomial sampler is a loop whose shapes XLA must know.
    samples_under_xla = False

    def __init__(
        self,
        event_shape: Shape | int,
        total_count: int,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_shape, convert_to_tensor_fn, validate_args, **kwargs)
        self.total_count = event_size_of(total_count, "total_count")
        # The values that log_prob takes.
        self.support = (0.0, float(self.total_count))  # type: ignore[misc]  # here it depends on the instance

    @property
    def parameters_size(self) -> int:
        return self.params_size(self._event_shape, self.total_count)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self._event_shape, self.total_count, self.validate_args)

    @staticmethod
    def new(
        params: Tensor,
        event_shape: Shape | int,
        total_count: int,
        validate_args: bool = False,
        name: str | None = None,
    ) -> Distribution:
        """The distribution with these parameters `[..., 2 * prod(event_shape)]`."""
        shape, fixed = event_shape_tuple(event_shape), {"total_count": float(total_count)}
        return Parameterization(tfd.BetaBinomial, shape, fixed).make(params, validate_args, name)

    @staticmethod
    def params_size(event_shape: Shape | int, total_count: int, name: str | None = None) -> int:
        """The number of parameters a distribution of this event shape takes."""
        shape, fixed = event_shape_tuple(event_shape), {"total_count": float(total_count)}
        return Parameterization(tfd.BetaBinomial, shape, fixed).size

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "total_count": self.total_count}
