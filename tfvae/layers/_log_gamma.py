"""Logarithms of gamma variables, whose pathwise gradient is finite however small the variable is."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.distributions.gamma import random_gamma

from tfvae.typing import Tensor

# Below this P(G <= g) is g^a / Gamma(a + 1) to float32's last digit.
_SMALL = 1e-7


def sample_log_gamma(concentration: Tensor, n: Tensor, seed: Any) -> Tensor:
    """Log g `[n, *shape]` of gamma variables g of rate 1 and these concentrations `[*shape]`: TFP's draws.

    TFP divides the derivative of g by g, which is NaN where g underflows.

    References:
        Figurnov, Mohamed & Mnih, Implicit Reparameterization Gradients, 2018, arXiv 1805.08498.
    """
    log_gamma = random_gamma([n], concentration, seed=seed, log_space=True)
    return _with_gradient(tf.broadcast_to(concentration, tf.shape(log_gamma)), tf.stop_gradient(log_gamma))


@tf.custom_gradient
def _with_gradient(concentration: Tensor, log_gamma: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
    def gradient(upstream: Tensor) -> tuple[Tensor, None]:
        gamma = tf.exp(log_gamma)
        safe = tf.maximum(gamma, _SMALL)
        of_log = tf.raw_ops.RandomGammaGrad(alpha=concentration, sample=safe) / safe
        # From g^a = P Gamma(a + 1) at a fixed P.
        of_small = (tf.math.digamma(concentration + 1.0) - log_gamma) / concentration
        return upstream * tf.where(gamma < _SMALL, of_small, of_log), None

    return log_gamma, gradient
