"""Stick-breaking prior of Dirichlet-process shares."""

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._checks import number, whole_number
from tfvae._serialization import PACKAGE
from tfvae.layers._log_odds import BetaLogOdds
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution

tfd = tfp.distributions


@keras.saving.register_keras_serializable(package=PACKAGE, name="StickBreakingPrior")  # the layer has the short name
class StickBreaking(Prior):
    """Log-odds of independent fractions v_k ~ Beta(1, alpha0), without weights: the prior of a stick-breaking VAE.

    z are the log-odds u_k = log v_k - log(1 - v_k) of K - 1 sticks, which `tfvae.layers.StickBreaking` turns into K
    shares. These are the first K - 1 shares of a Dirichlet process (GEM) and the rest. A larger alpha0 spreads the
    mass over more shares: the rest after k sticks has the mean (alpha0 / (1 + alpha0))^k. The KL from
    `KumaraswamySticks`, `GammaSticks` and `LogitNormalSticks` is known.

    Args:
        latent_size: Number of log-odds, K - 1 for K shares.
        alpha0: Concentration of the Dirichlet process, above 0.
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    Raises:
        ValueError: If `latent_size` is below 1, or `alpha0` is not above 0.

    Numerics:
        log p(u) = sum_k log alpha0 + log v_k + alpha0 log(1 - v_k), which contains the Jacobian v (1 - v). Draws are
        differences of logarithms of gamma variables.

    References:
        Nalisnick & Smyth, Stick-Breaking Variational Autoencoders, 2017, arXiv 1605.06197.
    """

    def __init__(self, latent_size: int, alpha0: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.latent_size = whole_number(latent_size, "latent_size")
        self.alpha0 = number(alpha0, "alpha0", above=0)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    def distribution(self) -> Distribution:
        dtype = tf.float64 if self.variable_dtype == "float64" else tf.float32
        ones = tf.ones([self.latent_size], dtype)
        return tfd.Independent(BetaLogOdds(ones, tf.constant(self.alpha0, dtype) * ones), 1, name="prior")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "latent_size": self.latent_size, "alpha0": self.alpha0}
