"""The reweighted wake-sleep algorithm."""

import dataclasses
from typing import Literal

import tensorflow as tf

from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._dreams import dream_log_prob
from tfvae.estimators.draws import draw, log_mean_exp, mean_over_draws, reported_kl
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class ReweightedWakeSleep(Configured):
    """Wake-sleep with K importance-weighted draws: both updates approach the true gradients as K grows.

    Decoder and prior maximise the importance-weighted bound at fixed draws. The encoder maximises sum_k v_k log
    q(z_k|x) with v_k = w_k / sum_j w_j, which follows KL(p(z|x) || q(z|x)) on data (the wake-phase update), or log
    q(z|x) of dreams (the sleep-phase update), or both. Works with discrete latents; for K = 1 and "sleep" it is
    `WakeSleep`.

    Args:
        num_importance_samples: K, number of draws of z.
        encoder_phase: "wake", "sleep" or "both".
        chunk_size: Number of draws per example that are decoded at a time; see `ImportanceWeighted`. A dream is one
            draw.

    Raises:
        ValueError: If a count is below one or `encoder_phase` is unknown; when called, if the sleep phase needs `infer`
            and the problem has none.

    References:
        Bornschein & Bengio, Reweighted Wake-Sleep, 2014, arXiv 1406.2751, section 2.
    """

    num_importance_samples: int = 5
    encoder_phase: Literal["wake", "sleep", "both"] = "wake"
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        self._check_counts("num_importance_samples")
        self._check_chunk_size()
        if self.encoder_phase not in ("wake", "sleep", "both"):
            raise ValueError(
                f"`encoder_phase` must be 'wake', 'sleep' or 'both'. Received: encoder_phase={self.encoder_phase!r}"
            )

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        seed_z, seed_dream = split_seed(seed, 2, "reweighted_wake_sleep")
        shape = [self.num_importance_samples]
        draws = draw(problem, sample_shape=shape, seed=seed_z, fixed=True, chunk_size=self.chunk_size)  # [K, B]
        log_posterior, draws = draws.log_posterior, draws._replace(log_posterior=tf.stop_gradient(draws.log_posterior))
        weighted = draws.log_weights(beta)
        objective = log_mean_exp(weighted)  # at fixed draws and fixed q: the gradient of decoder and prior
        if self.encoder_phase != "sleep":
            share = tf.stop_gradient(tf.nn.softmax(weighted, axis=0))
            objective += tf.reduce_sum(share * log_posterior, axis=0)
        if self.encoder_phase != "wake":
            objective += dream_log_prob(problem, seed=seed_dream)
        return Estimate(
            surrogate_loss=-objective,
            bound=log_mean_exp(draws.log_weights()),
            log_likelihood=mean_over_draws(draws.log_likelihood),
            **reported_kl(problem, draws),
        )
