"""The importance-weighted bound for latents that have no reparameterisation."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators.draws import draw, kl_of, log_mean_exp, mean_over_draws
from tfvae.estimators.estimate import Estimate
from tfvae.typing import Distribution, Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class VIMCO(Configured):
    """The importance-weighted bound, its encoder's gradient by scores with a baseline from the other draws.

    For discrete latents, or any posterior with a density: with L = log (1/K) sum_k w_k,
    d/dphi = E[sum_k (L - L_{-k}) d log q(z_k|x) + sum_k v_k d log w_k], v_k = w_k / sum_j w_j, where L_{-k} has the
    geometric mean of the other weights in place of w_k. The baseline costs nothing and needs no network.

    Args:
        num_importance_samples: K, draws of z, at least 2.

    Raises:
        ValueError: for fewer than two draws.

    References:
        Mnih & Rezende, Variational Inference for Monte Carlo Objectives, 2016, arXiv 1602.06725, equations 8 to 11.
    """

    num_importance_samples: int = 5

    def __post_init__(self) -> None:
        self._check_counts("num_importance_samples", at_least=2)

    def __call__(
        self,
        x: Tensor,
        posterior: Distribution,
        prior: Distribution,
        generate: Callable[[Any], Distribution],
        *,
        beta: Tensor | float = 1.0,
        seed: Seed = None,
        infer: Callable[[Tensor], Distribution] | None = None,
    ) -> Estimate:
        """See `Estimator`."""
        (seed_z,) = split_seed(seed, 1, "vimco")
        draws = draw(
            x, posterior, prior, generate, sample_shape=[self.num_importance_samples], seed=seed_z, fixed=True
        )  # [K, B]
        weighted = draws.log_weights(beta)
        bound = log_mean_exp(weighted)  # [B]
        signal = tf.stop_gradient(bound - self._without_each(weighted))  # [K, B]
        return Estimate(
            surrogate_loss=-(bound + tf.reduce_sum(signal * draws.log_posterior, axis=0)),
            bound=log_mean_exp(draws.log_weights()),
            log_likelihood=mean_over_draws(draws.log_likelihood),
            kl=kl_of(posterior, prior, draws),
        )

    def _without_each(self, log_weights: Tensor) -> Tensor:
        """L_{-k} `[K, B]`: the bound with the geometric mean of the other weights in place of the k-th."""
        k = self.num_importance_samples
        others = (tf.reduce_sum(log_weights, axis=0) - log_weights) / (k - 1)  # [K, B]
        replaced = tf.where(tf.eye(k, dtype=tf.bool)[..., tf.newaxis], others[:, tf.newaxis], log_weights)  # [K, K, B]
        return log_mean_exp(replaced, axis=1)
