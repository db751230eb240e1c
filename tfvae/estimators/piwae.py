"""A tight bound for the decoder and low-noise bounds for the encoder."""

import dataclasses

import tensorflow as tf

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
class PIWAE(Configured):
    """The importance-weighted bound of all M K draws for decoder and prior, the mean of M bounds for the encoder.

    The decoder profits from a tight bound and the encoder from a gradient with little noise; the same draws give both.
    The reported bound is that of all M K draws.

    Args:
        num_bounds: M, number of bounds per example.
        num_importance_samples: K, number of draws of z in each bound.
        chunk_size: Number of draws per example that are decoded at a time; see `ImportanceWeighted`.

    Raises:
        ValueError: If a count is below one; when called, if the posterior is not reparameterised.

    References:
        Rainforth et al., Tighter Variational Bounds are Not Necessarily Better, 2018, arXiv 1802.04537, equation 17.
    """

    num_bounds: int = 8
    num_importance_samples: int = 8
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        self._check_counts("num_bounds", "num_importance_samples")
        self._check_chunk_size()

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        require_reparameterized(problem.posterior, self)
        (seed_z,) = split_seed(seed, 1, "piwae")
        shape = [self.num_bounds, self.num_importance_samples]
        split = draw_split(problem, sample_shape=shape, beta=beta, seed=seed_z, chunk_size=self.chunk_size)  # [M, K, B]
        log_sum = tf.reduce_logsumexp(split.weighted, axis=[0, 1], keepdims=True)
        for_model = tf.exp(split.weighted - log_sum)  # shares among all draws
        for_encoder = tf.nn.softmax(split.weighted, axis=1) / self.num_bounds  # shares within each bound
        terms = multiply_no_nan(for_model, split.model) + for_encoder * (split.path + split.score)
        return Estimate(
            surrogate_loss=-tf.reduce_sum(terms, axis=[0, 1]),
            bound=log_mean_exp(log_mean_exp(split.log_weights, axis=1)),
            log_likelihood=mean_over_draws(split.draws.log_likelihood),
            **reported_kl(problem, split.draws),
        )
