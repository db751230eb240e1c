"""The doubly reparameterised gradient of the importance-weighted bound."""

import dataclasses

import tensorflow as tf

from tfvae._numerics import as_dtype
from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._latents import require_reparameterized
from tfvae.estimators.draws import draw_split, log_mean_exp, mean_over_draws, multiply_no_nan, reported_kl
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class DReG(Configured):
    """The importance-weighted bound with the doubly reparameterised gradient of the encoder.

    The score terms in the encoder's gradient of log (1/K) sum_k w_k are replaced by path derivatives of the same
    expectation: d/dphi = E[sum_k v_k^2 (d log w_k / dz_k) (dz_k / dphi)] with v_k = w_k / sum_j w_j. This gradient is
    unbiased, has less variance where q(z|x) is near the posterior, and keeps its signal-to-noise ratio as K grows. With
    beta in the weights, v_k - beta v_k (1 - v_k) replaces v_k^2, so that the gradient stays unbiased for them. For K =
    1 it is `StickingTheLanding`. Decoder and prior get the gradient of `ImportanceWeighted`.

    Args:
        num_importance_samples: K, number of draws of z in each bound.
        num_samples: S, number of independent bounds per example that are averaged.
        chunk_size: Number of draws per example that are decoded at a time; see `ImportanceWeighted`.

    Raises:
        ValueError: If a count is below one; when called, if the posterior is not reparameterised.

    References:
        Tucker, Lawson, Gu & Maddison, Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives, 2018,
        arXiv 1810.04152, equation 8.
    """

    num_importance_samples: int = 5
    num_samples: int = 1
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        self._check_counts("num_importance_samples", "num_samples")
        self._check_chunk_size()

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        require_reparameterized(problem.posterior, self)
        (seed_z,) = split_seed(seed, 1, "dreg")
        shape = [self.num_samples, self.num_importance_samples]
        split = draw_split(problem, sample_shape=shape, beta=beta, seed=seed_z, chunk_size=self.chunk_size)  # [S, K, B]
        share = tf.nn.softmax(split.weighted, axis=1)
        # Only beta times the scores is part of log w; they become -beta v_k (1 - v_k) path derivatives.
        along_z = share - as_dtype(beta, share.dtype) * share * (1.0 - share)
        surrogate = tf.reduce_sum(multiply_no_nan(share, split.model) + along_z * split.path, axis=1)  # [S, B]
        return Estimate(
            surrogate_loss=-mean_over_draws(surrogate),
            bound=mean_over_draws(log_mean_exp(split.log_weights, axis=1)),
            log_likelihood=mean_over_draws(split.draws.log_likelihood),
            **reported_kl(problem, split.draws),
        )
