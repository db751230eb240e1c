"""The aggregated posterior q(z) = (1/N) sum_n q(z|x_n), and the mutual information of x and z."""

from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._kl import exact_kl_or_none
from tfvae.estimators.moments import moments_over_draws
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.typing import Distribution, Tensor

# Latents that are scored under all posteriors at a time.
_CHUNK_SIZE = 8


class Aggregated(NamedTuple):
    """Result of `aggregated`; each field is `[N]`, in nats.

    Attributes:
        information: E[log q(z|x_n) - log q(z)] over z ~ q(z|x_n); the mean over n is I(x; z).
        information_variance: The sampling variance of that mean over draws; NaN for one draw.
        marginal_kl: KL(q(z|x_n) || p(z)) less `information`; the mean over n is KL(q(z) || p(z)).
        marginal_kl_variance: The sampling variance of that mean over draws; NaN for one draw.
    """

    information: Tensor
    information_variance: Tensor
    marginal_kl: Tensor
    marginal_kl_variance: Tensor


def aggregated(vae: VAE, x: Tensor | Batch, num_samples: Tensor, seed: Tensor) -> Aggregated:
    """Estimates the mutual information of x and z and the KL of the aggregated posterior of examples x `[N, *event]`.

    Works with any latents. q(z) is the mixture of the examples' posteriors, and each draw is scored under all of them.
    """
    problem = vae.problem(x)
    posterior, prior = problem.posterior, problem.prior
    exact = exact_kl_or_none(posterior, prior)
    num_examples = tf.shape(problem.x)[0]

    def draw(seed: Tensor) -> dict[str, Tensor]:
        z, log_q_given_x = posterior.experimental_sample_and_log_prob(seed=seed)  # [N, D], [N]
        information = log_q_given_x - _log_mixture(posterior, z, num_examples, log_q_given_x.dtype)
        kl = log_q_given_x - prior.log_prob(z) if exact is None else exact
        return {"information": information, "marginal_kl": kl - information}

    mean, variance = moments_over_draws(draw, num_samples, seed)
    return Aggregated(mean["information"], variance["information"], mean["marginal_kl"], variance["marginal_kl"])


def _log_mixture(posterior: Distribution, z: Any, num_examples: Tensor, dtype: tf.DType) -> Tensor:
    """Computes log (1/N) sum_m q(z_n|x_m) `[N]`, for a few n at a time."""
    log_n = tf.math.log(tf.cast(num_examples, dtype))

    def add_chunk(start: Tensor, log_q: Tensor) -> tuple[Tensor, Tensor]:
        def against_all(leaf: Tensor) -> Tensor:
            part = leaf[start : start + _CHUNK_SIZE, tf.newaxis]  # [C, 1, D]
            shape = tf.concat([tf.shape(part)[:1], [num_examples], tf.shape(part)[2:]], 0)
            return tf.ensure_shape(tf.broadcast_to(part, shape), [None, None, *leaf.shape[1:]])

        scores = posterior.log_prob(tf.nest.map_structure(against_all, z))  # [C, N]
        return start + _CHUNK_SIZE, tf.concat([log_q, tf.reduce_logsumexp(scores, axis=1) - log_n], 0)

    _, log_q = tf.while_loop(
        lambda start, _: start < num_examples,
        add_chunk,
        (tf.constant(0), tf.zeros([0], dtype)),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
        parallel_iterations=1,
    )
    return log_q
