"""Base class of the layers for the log-odds of sticks, and their raw parameters."""

import math
from typing import Any, ClassVar

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._checks import number
from tfvae._numerics import softly_bounded
from tfvae.layers._event_layers import EventSizeLayer
from tfvae.layers._event_shape import event_size_of
from tfvae.layers._log_odds_numerics import complementary_log_log, log_softplus
from tfvae.typing import ConvertToTensorFn, Distribution, Tensor

tfd = tfp.distributions

# Limits of concentrations. The last is that of b of Kumaraswamy variables, which grows like median^-a.
SMALLEST, LARGEST, LARGEST_KUMARASWAMY = 0.01, 1e3, 1e8
_LARGEST_LOG_POWER = 5.0


class ConcentrationsLayer(EventSizeLayer):
    """Base class of layers for log-odds of sticks with two concentrations, which a subclass computes from parameters.

    Args:
        event_size: Number of log-odds, K - 1 for K shares.
        start: concentration0 for raw parameters of zero. With the alpha0 of the prior, training starts near the prior.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.
    """

    # The distribution of the log-odds of one stick, from its two concentrations.
    distribution_class: ClassVar[type]

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

    @staticmethod
    def concentrations(params: Tensor, event_size: int, start: float) -> tuple[Tensor, Tensor]:
        """Returns the concentrations `[..., event_size]` from parameters `[..., 2 * event_size]`."""
        raise NotImplementedError("Subclasses must define concentrations.")

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
        sticks = cls.distribution_class(*cls.concentrations(params, event_size, start), validate_args=validate_args)
        return tfd.Independent(sticks, 1, validate_args=validate_args, name=name or cls.__name__)

    @staticmethod
    def params_size(event_size: int, name: str | None = None) -> int:
        """Returns the number of parameters of a distribution of this size."""
        return 2 * event_size_of(event_size)

    def make_distribution(self, parameters: Tensor) -> Distribution:
        return self.new(parameters, self.event_size, self.start, self.validate_args)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start": self.start}


def beta_concentrations(params: Tensor, event_size: int, start: float) -> tuple[Tensor, Tensor]:
    """Returns the concentrations `[..., event_size]` of beta variables, 1 and `start` for parameters of zero.

    They are 0.01 + k m and 0.01 + k (1 - m). The log-odds of m is the first raw parameter plus a constant, and the
    second is about the logarithm of k, relative to its value for zero.
    """
    location, raw = tf.split(tf.convert_to_tensor(params), [event_size, event_size], axis=-1)
    first, second = 1.0 - SMALLEST, _checked_start(start) - SMALLEST
    log_odds = location + math.log(first / second)
    total = _bounded_exponential(raw, first + second, LARGEST)
    return SMALLEST + total * tf.math.sigmoid(log_odds), SMALLEST + total * tf.math.sigmoid(-log_odds)


def kumaraswamy_concentrations(params: Tensor, event_size: int, start: float) -> tuple[Tensor, Tensor]:
    """Returns the concentrations `[..., event_size]` of Kumaraswamy variables, 1 and `start` for parameters of zero.

    The second raw parameter is about log a. The first, plus a constant, is the log-odds of the median m, from which
    b = log 2 / -log(1 - m^a) follows. A narrow fraction near 1/4 takes a = 10 and b = 1e6. Networks learn to move the
    median and log a, and hardly a and b.
    """
    location, raw = tf.split(tf.convert_to_tensor(params), [event_size, event_size], axis=-1)
    a = SMALLEST + _bounded_exponential(raw, 1.0 - SMALLEST, LARGEST)
    median = -math.expm1(-math.log(2.0) / _checked_start(start))
    log_odds = location + math.log(median / (1.0 - median))
    # Beyond the upper limit, b is constant.
    log_power = tf.minimum(tf.math.log(a) + log_softplus(-log_odds), _LARGEST_LOG_POWER)  # log(-log(m^a))
    log_b = math.log(math.log(2.0)) - complementary_log_log(log_power)
    at_zero = start - SMALLEST
    return a, SMALLEST + _bounded_exponential(log_b - math.log(start), at_zero, LARGEST_KUMARASWAMY)


def _bounded_exponential(raw: Tensor, at_zero: float, largest: float) -> Tensor:
    """Computes at_zero exp(l tanh(raw / l)), which is between at_zero^2 / largest and largest."""
    return at_zero * tf.exp(softly_bounded(raw, math.log(largest / at_zero)))


def _checked_start(start: float) -> float:
    return number(start, "start", above=SMALLEST, at_most=500)
