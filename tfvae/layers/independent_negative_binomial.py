"""Counts that vary more than a Poisson's."""

from typing import Any, ClassVar

import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._counts import NegativeBinomial
from tfvae.layers._event_layers import DeclaredLayer
from tfvae.typing import Tensor

tfd = tfp.distributions


class _NegativeBinomial(NegativeBinomial):
    """TFP's distribution, whose samples are drawn with operations that XLA has."""

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        gamma_seed, poisson_seed = tfp.random.split_seed(seed, salt="negative_binomial")
        rate = tfd.Gamma(self.total_count, log_rate=-self.logits_parameter()).sample(n, seed=gamma_seed)
        return tfd.Poisson(rate).sample(seed=poisson_seed)


@register
class IndependentNegativeBinomial(DeclaredLayer):
    """Independent negative binomial variables: counts with more variance than mean, such as those of genes' reads.

    Prefer `IndependentPoisson` when variance and mean are equal: it has half the parameters.

    Args:
        event_shape: shape of one event.
        convert_to_tensor_fn: see `DistributionLayer`.
        validate_args: see `DistributionLayer`.
        **kwargs: see `DistributionLayer`.

    Call arguments:
        inputs: `[..., 2 * prod(event_shape)]`: all raw total_count, then all logits.

    Returns:
        `Independent(NegativeBinomial(total_count, logits))`, of mean m = total_count * exp(logits) and variance
        m + m^2 / total_count: total_count is the inverse dispersion, exp(logits) the mean over it.

    Numerics:
        total_count is softplus of the raw value, no lower than 1e-5.
    """

    distribution_class = _NegativeBinomial
    fixed: ClassVar[dict[str, Any]] = {"require_integer_total_count": False}
    support: ClassVar[tuple[float, float]] = (0.0, float("inf"))
