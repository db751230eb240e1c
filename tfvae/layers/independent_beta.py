"""Proportions."""

from typing import ClassVar

import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import DeclaredLayer

tfd = tfp.distributions


@register
class IndependentBeta(DeclaredLayer):
    """Independent beta variables on (0, 1): proportions, or gray pixels whose spread the model learns.

    The density is 0 or infinite at exactly 0 and 1: data that have those values are squeezed first, for N gray levels
    to (x * (N - 1) + 0.5) / N.

    Args:
        event_shape: shape of one event, e.g. `(28, 28, 1)`.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: `[..., 2 * prod(event_shape)]`: all raw concentration1, then all raw concentration0.

    Returns:
        `Independent(Beta(concentration1, concentration0))`, of mean concentration1 / (concentration1 + concentration0).

    Numerics:
        Concentrations are softplus of the raw values, no lower than 1e-5.

    References:
        Smithson & Verkuilen, A better lemon squeezer?, Psychological Methods, 2006.
    """

    distribution_class = tfd.Beta
    support: ClassVar[tuple[float, float]] = (0.0, 1.0)
