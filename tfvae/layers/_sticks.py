"""Base class of the layers for the log-odds of sticks, and their raw parameters."""

import math
from typing import Any

import tensorflow as tf

from tfvae._checks import number
from tfvae.layers._event_layers import EventSizeLayer
from tfvae.layers._event_shape import event_size_of
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor

# The smallest and largest concentration.
SMALLEST, LARGEST = 0.01, 1000.0


class ConcentrationsLayer(EventSizeLayer):
    """Base class of layers for log-odds of sticks with two concentrations.

    Args:
        event_size: Number of log-odds, K - 1 for K shares.
        start: concentration0 for raw parameters of zero. With the alpha0 of the prior, training starts near the prior.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.
    """

    def __init__(
        self,
        event_size: int,
        start: float = 1.0,
        convert_to_tensor_fn: ConvertToTensorFn = "sample",
        validate_args: bool = False,
        **kwargs: Any,
    ):
        super().__init__(event_size, convert_to_tensor_fn, validate_args, **kwargs)
        self.start = _checked_start(start)

    @classmethod
    def new(
        cls,
        params: Tensor,
        event_size: int,
        start: float = 1.0,
        validate_args: bool = False,
        name: str | None = None,
    ) -> Distribution:
        """Creates the distribution of log-odds `[..., event_size]` from parameters `[..., 2 * event_size]`."""
        raise NotImplementedError(f"{cls.__name__} must define new.")

    @staticmethod
    def params_size(event_size: int, name: str | None = None) -> int:
        """Returns the number of parameters of a distribution of this size."""
        return 2 * event_size_of(event_size)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_size, self.start, self.validate_args)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start": self.start}


def concentrations(params: Tensor, event_size: int, start: float) -> tuple[Tensor, Tensor]:
    """Returns the two concentrations `[..., event_size]`, which are 1 and `start` for parameters of zero.

    With c for the value at zero, each is 0.01 + (c - 0.01) exp(l tanh(raw / l)), where l = log(1000 / c). A raw value
    is thus about the logarithm of a concentration: a narrow fraction, which takes concentrations of hundreds, is as
    near as a small scale of a normal variable.
    """
    params, start = tf.convert_to_tensor(params), _checked_start(start)
    concentration1, concentration0 = (
        _bounded_exponential(raw, at_zero)
        for raw, at_zero in zip(tf.split(params, [event_size, event_size], axis=-1), (1.0, start), strict=True)
    )
    return concentration1, concentration0


def _bounded_exponential(raw: Tensor, at_zero: float) -> Tensor:
    limit = math.log(LARGEST / at_zero)
    return SMALLEST + (at_zero - SMALLEST) * tf.exp(limit * tf.tanh(raw / limit))


def _checked_start(start: float) -> float:
    return number(start, "start", above=SMALLEST, at_most=LARGEST / 2)
