"""KL divergences to a beta distribution.

Those of fractions and of their log-odds are equal, because the log-odds are a bijection. Importing this module
registers them with TFP, which then knows those of independent sticks too.
"""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers._digamma import digamma
from tfvae.layers._kumaraswamy_moments import mean_log, mean_log_complement
from tfvae.layers._log_odds import BetaLogOdds, KumaraswamyLogOdds
from tfvae.layers._softplus_moments import mean_softplus
from tfvae.typing import Tensor

tfd = tfp.distributions


@tfd.RegisterKL(tfd.Kumaraswamy, tfd.Beta)
@tfd.RegisterKL(KumaraswamyLogOdds, BetaLogOdds)
def kl_kumaraswamy_beta(q: Any, p: Any, name: str | None = None) -> Tensor:
    """Computes KL(Kumaraswamy(a, b) || Beta(alpha, beta)).

        log(a b) - (b - 1) / b + log B(alpha, beta) + (a - alpha) E[log v] - (beta - 1) E[log(1 - v)]

    Numerics:
        `mean_log_complement` replaces the usual series of E[log(1 - v)]. The terms are added in float64, because they
        cancel where the two distributions are alike and narrow. For concentrations from 0.01 to 1,000, the error is at
        most 1e-5 of max(1, KL) in float32, also of the gradients.

    References:
        Nalisnick & Smyth, Stick-Breaking Variational Autoencoders, 2017, arXiv 1605.06197, appendix, where the series
        is cut after ten terms.
    """
    with tf.name_scope(name or "kl_kumaraswamy_beta"):
        own_shape = q.batch_shape_tensor()
        shape = tf.broadcast_dynamic_shape(own_shape, p.batch_shape_tensor())
        given = (q.concentration1, q.concentration0, p.concentration1, p.concentration0)
        a, b, alpha, beta = (tf.cast(each, tf.float64) for each in given)
        a, b = tf.broadcast_to(a, own_shape), tf.broadcast_to(b, own_shape)
        kl = tf.math.log(a * b) - (b - 1.0) / b + tfp.math.lbeta(alpha, beta)
        kl += (a - alpha) * mean_log(a, b) - (beta - 1.0) * mean_log_complement(a, b, q.dtype)
        return tf.broadcast_to(tf.cast(kl, q.dtype), shape)


@tfd.RegisterKL(BetaLogOdds, BetaLogOdds)
def _kl_betas(q: Any, p: Any, name: str | None = None) -> Tensor:
    """Computes the KL in float64, because logarithms of gamma functions cancel."""
    with tf.name_scope(name or "kl_betas"):
        given = (q.concentration1, q.concentration0, p.concentration1, p.concentration0)
        a, b, alpha, beta = (tf.cast(each, tf.float64) for each in given)
        kl = tfp.math.lbeta(alpha, beta) - tfp.math.lbeta(a, b)
        kl += (a - alpha) * digamma(a) + (b - beta) * digamma(b) + (alpha + beta - a - b) * digamma(a + b)
        return tf.cast(kl, q.dtype)


@tfd.RegisterKL(tfd.Normal, BetaLogOdds)
def _kl_normal_beta(q: Any, p: Any, name: str | None = None) -> Tensor:
    """Computes KL(N(m, s^2) || log-odds of Beta(alpha, beta)).

    As log v = u - softplus(u) and log(1 - v) = -softplus(u),
        KL = -entropy + log B(alpha, beta) - alpha m + (alpha + beta) E[softplus(u)].
    """
    with tf.name_scope(name or "kl_normal_beta"):
        alpha, beta = p.concentration1, p.concentration0
        softplus = mean_softplus(q.loc, q.scale)
        return tfp.math.lbeta(alpha, beta) - q.entropy() - alpha * q.loc + (alpha + beta) * softplus
