"""Distribution layer for counts out of a known total."""

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
    """Independent beta-binomial variables: counts 0 ... total_count with a learned spread.

    Use it for ratings, for the number of correct answers out of a known number, or for pixels 0 ... 255 as integers.

    Args:
        event_shape: Shape of one event.
        total_count: Number of trials of each variable, at least 1.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 * prod(event_shape)]`: all raw concentration1, then all raw concentration0.

    Returns:
        `Independent(BetaBinomial(total_count, concentration1, concentration0))`.

    Numerics:
        Each concentration is max(softplus(raw value), 1e-5).
    """

    # TFP's binomial sampler is a loop, for which XLA needs static shapes.
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
        # The range of values for `log_prob`.
        self.support = (0.0, float(self.total_count))  # type: ignore[misc]  # depends on the instance

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
        """Creates the distribution from parameters `[..., 2 * prod(event_shape)]`."""
        shape, fixed = event_shape_tuple(event_shape), {"total_count": float(total_count)}
        return Parameterization(tfd.BetaBinomial, shape, fixed).make(params, validate_args, name)

    @staticmethod
    def params_size(event_shape: Shape | int, total_count: int, name: str | None = None) -> int:
        """Returns the number of parameters of a distribution with this event shape."""
        shape, fixed = event_shape_tuple(event_shape), {"total_count": float(total_count)}
        return Parameterization(tfd.BetaBinomial, shape, fixed).size

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "total_count": self.total_count}
