"""Distribution layer for sticks with beta fractions, composed of gamma variables."""

from tfvae._serialization import register
from tfvae.layers._log_odds import BetaLogOdds
from tfvae.layers._sticks import ConcentrationsLayer, beta_concentrations


@register
class GammaSticks(ConcentrationsLayer):
    """Log-odds of independent beta fractions v = x / (x + y), with x ~ Gamma(a, 1) and y ~ Gamma(b, 1).

    The latents are u_k = log x_k - log y_k. This is the family of the prior `tfvae.priors.StickBreaking` itself, to
    which the KL has a closed form. The paper approximates the inverse distribution function of the gamma variables.
    Here draws have the exact distribution and implicit gradients, which cost more than those of `KumaraswamySticks`.

    Args:
        event_size: Number of log-odds, K - 1 for K shares.
        start: b for raw parameters of zero, for which a = 1. With the alpha0 of the prior, training starts near it.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 (K - 1)]`: log-odds of the means, relative to that for zero; then raw a + b.

    Returns:
        `Independent` log-odds `[..., K - 1]`.

    Raises:
        ValueError: If `event_size` is below 1, or `start` not above 0.01 and at most 500.

    Numerics:
        a = 0.01 + k m and b = 0.01 + k (1 - m), where log k is bounded, so that both are below 1,001. Gamma variables
        are drawn as logarithms.

    References:
        Nalisnick & Smyth, Stick-Breaking Variational Autoencoders, 2017, arXiv 1605.06197, section 4.1.
        Figurnov, Mohamed & Mnih, Implicit Reparameterization Gradients, 2018, arXiv 1805.08498.
    """

    distribution_class = BetaLogOdds
    concentrations = staticmethod(beta_concentrations)
