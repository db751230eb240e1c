"""Gray pixels, with a density."""

from typing import ClassVar

import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._event_layers import DeclaredLayer

tfd = tfp.distributions


@register
class IndependentContinuousBernoulli(DeclaredLayer):
    """Independent continuous Bernoulli variables on [0, 1]: gray pixels, with the density that a Bernoulli lacks.

    `IndependentBernoulli` takes gray values too, but then its log_prob is not normalised, and no likelihood.

    Args:
        event_shape: shape of one event, e.g. `(28, 28, 1)`.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: logits `[..., prod(event_shape)]`.

    Returns:
        `Independent(ContinuousBernoulli(logits))`; its mean is not sigmoid(logits), but between that and 1/2.

    References:
        Loaiza-Ganem & Cunningham, The continuous Bernoulli, 2019, arXiv 1907.06845.
    """

    distribution_class = tfd.ContinuousBernoulli
    support: ClassVar[tuple[float, float]] = (0.0, 1.0)
