"""Logarithms of gamma variables, with a finite pathwise gradient for very small variables."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.distributions.gamma import random_gamma

from tfvae.typing import Tensor

# Below this, P(G <= g) equals g^a / Gamma(a + 1) in float32.
_SMALL = 1e-7


def sample_log_gamma(concentration: Tensor, n: Tensor, seed: Any) -> Tensor:
    """Draws log g `[n, *shape]` for gamma variables g with rate 1 and `concentration` `[*shape]`.

    The draws equal TFP's. TFP divides the derivative of g by g, which is NaN if g underflows.

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
        slope = tf.raw_ops.RandomGammaGrad(alpha=concentration, sample=safe) / safe
        # Derivative of g^a = P Gamma(a + 1) for fixed P.
        slope_if_small = (tf.math.digamma(concentration + 1.0) - log_gamma) / concentration
        return upstream * tf.where(gamma < _SMALL, slope_if_small, slope), None

    return log_gamma, gradient
