"""Distribution layer for gray pixels in [0, 1]."""

from typing import ClassVar

import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import DeclaredLayer

tfd = tfp.distributions


@register
class IndependentContinuousBernoulli(DeclaredLayer):
    """Independent continuous Bernoulli variables on [0, 1]: a normalised density for gray pixels.

    `IndependentBernoulli` accepts gray values too, but its `log_prob` is then not normalised, so it is not a
    likelihood.

    Args:
        event_shape: Shape of one event, such as `(28, 28, 1)`.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Logits `[..., prod(event_shape)]`.

    Returns:
        `Independent(ContinuousBernoulli(logits))`. Its mean is not sigmoid(logits), but lies between that and 1/2.

    References:
        Loaiza-Ganem & Cunningham, The continuous Bernoulli, 2019, arXiv 1907.06845.
    """

    distribution_class = tfd.ContinuousBernoulli
    support: ClassVar[tuple[float, float]] = (0.0, 1.0)
