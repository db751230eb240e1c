"""Distribution layer for overdispersed counts."""

from typing import Any, ClassVar

import tensorflow_probability as tfp

from tfvae._serialization import register
from tfvae.layers._counts import NegativeBinomial, Poisson
from tfvae.layers._event_layers import DeclaredLayer
from tfvae.typing import Tensor

tfd = tfp.distributions


class _NegativeBinomial(NegativeBinomial):
    """TFP's distribution with a sampler that XLA can compile."""

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        gamma_seed, poisson_seed = tfp.random.split_seed(seed, salt="negative_binomial")
        rate = tfd.Gamma(self.total_count, log_rate=-self.logits_parameter()).sample(n, seed=gamma_seed)
        return Poisson(rate).sample(seed=poisson_seed)


@register
class IndependentNegativeBinomial(DeclaredLayer):
    """Independent negative binomial variables, for counts with a variance above their mean, such as gene expression.

    Prefer `IndependentPoisson` if variance and mean are equal, because it has half as many parameters.

    Args:
        event_shape: Shape of one event.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 * prod(event_shape)]`: all raw total_count, then all logits.

    Returns:
        `Independent(NegativeBinomial(total_count, logits))`, with mean m = total_count * exp(logits) and variance
        m + m^2 / total_count. total_count is the inverse dispersion.

    Numerics:
        total_count = max(softplus(raw value), 1e-5).
    """

    distribution_class = _NegativeBinomial
    fixed: ClassVar[dict[str, Any]] = {"require_integer_total_count": False}
    support: ClassVar[tuple[float, float]] = (0.0, float("inf"))
