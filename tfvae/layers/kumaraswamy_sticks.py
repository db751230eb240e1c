"""Distribution layer for sticks with Kumaraswamy fractions."""

from tfvae._serialization import register
from tfvae.layers._log_odds import KumaraswamyLogOdds
from tfvae.layers._sticks import ConcentrationsLayer, kumaraswamy_concentrations


@register
class KumaraswamySticks(ConcentrationsLayer):
    """Log-odds of independent Kumaraswamy fractions, the posterior of a stick-breaking VAE.

    The latents are u_k = log v_k - log(1 - v_k) of fractions v_k ~ Kumaraswamy(a_k, b_k), because float32 fractions
    round to 0 and 1. Its prior is `tfvae.priors.StickBreaking`, and `StickBreaking` at the start of the decoder turns
    the log-odds into shares. Its draws cost two logarithms of a uniform number, and the KL to the prior is accurate to
    1e-5. Prefer `GammaSticks` for exact beta fractions, and `LogitNormalSticks` for fractions with one mode inside
    (0, 1).

    Args:
        event_size: Number of log-odds, K - 1 for K shares.
        start: b for raw parameters of zero, for which a = 1. With the alpha0 of the prior, training starts near it.
        convert_to_tensor_fn: See `DistributionLayer`.
        validate_args: See `DistributionLayer`.
        **kwargs: See `DistributionLayer`.

    Call arguments:
        inputs: Parameters `[..., 2 (K - 1)]`: log-odds of the medians, relative to that for zero; then raw a.

    Returns:
        `Independent` log-odds `[..., K - 1]`.

    Raises:
        ValueError: If `event_size` is below 1, or `start` not above 0.01 and at most 500.

    Numerics:
        log a is bounded, so that a is from 0.01 to 1,000. b = log 2 / -log(1 - m^a) for the median m, from 0.01 to 1e8.
        Draws, densities and gradients are finite for all of them.

    Example:
        >>> encoder = keras.Sequential([keras.layers.Dense(KumaraswamySticks.params_size(49)), KumaraswamySticks(49)])
        >>> decoder = keras.Sequential([StickBreaking(), keras.layers.Dense(784), IndependentBernoulli((28, 28))])
        >>> vae = tfvae.models.VAE(encoder, decoder, prior=tfvae.priors.StickBreaking(49, alpha0=5.0))

    References:
        Nalisnick & Smyth, Stick-Breaking Variational Autoencoders, 2017, arXiv 1605.06197, section 4.1.
    """

    distribution_class = KumaraswamyLogOdds
    concentrations = staticmethod(kumaraswamy_concentrations)
