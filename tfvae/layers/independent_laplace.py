"""Pixels with heavier tails than a normal's."""

import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import DeclaredLayer

tfd = tfp.distributions


@register
class IndependentLaplace(DeclaredLayer):
    """Independent Laplace variables: a reconstruction by absolute, not squared, error.

    Prefer it to `IndependentNormal` for sharper images or data with outliers, `IndependentStudentT` for wilder ones.

    Args:
        event_shape: shape of one event, e.g. `(28, 28, 1)`.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: `[..., 2 * prod(event_shape)]`: all locs, then all raw scales.

    Returns:
        `Independent(Laplace(loc, scale))`; the standard deviation is sqrt(2) * scale.

    Numerics:
        The scale is softplus(raw_scale), no lower than 1e-5.
    """

    distribution_class = tfd.Laplace
