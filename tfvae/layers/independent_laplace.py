"""Distribution layer for continuous data with heavy tails."""

import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import DeclaredLayer

tfd = tfp.distributions


@register
class IndependentLaplace(DeclaredLayer):
    """Independent Laplace variables, which correspond to an absolute instead of a squared reconstruction error.

    Prefer it to `IndependentNormal` for sharper images or data with outliers. For extreme outliers, prefer
    `IndependentStudentT`.

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 * prod(event_shape)]`: all locs, then all raw scales.

    Returns:
        `Independent(Laplace(loc, scale))`, with standard deviation sqrt(2) * scale.

    Numerics:
        scale = max(softplus(raw_scale), 1e-5).
    """

    distribution_class = tfd.Laplace
