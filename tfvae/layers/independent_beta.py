"""Distribution layer for proportions."""

from typing import ClassVar

import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import DeclaredLayer

tfd = tfp.distributions


@register
class IndependentBeta(DeclaredLayer):
    """Independent beta variables on (0, 1): proportions, or gray pixels with a learned spread.

    The density is 0 or infinite at exactly 0 and 1. If the data contain these values, squeeze them first: for N gray
    levels, to (x * (N - 1) + 0.5) / N.

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 * prod(event_shape)]`: all raw concentration1, then all raw concentration0.

    Returns:
        `Independent(Beta(concentration1, concentration0))`, with mean concentration1 / (concentration1 +
        concentration0).

    Numerics:
        Each concentration is max(softplus(raw value), 1e-5).

    References:
        Smithson & Verkuilen, A better lemon squeezer?, Psychological Methods, 2006.
    """

    distribution_class = tfd.Beta
    support: ClassVar[tuple[float, float]] = (0.0, 1.0)
