"""Importance sampling of log p(x) from any q(z), such as one refined for a single example."""

from collections.abc import Callable

import tensorflow as tf

from tfvae._seeds import fold_in
from tfvae.typing import Distribution, Seed, Tensor

# Draws of a batch decoded at a time.
_CHUNK_SIZE = 50


def importance_log_weights(
    proposal: Distribution, log_joint: Callable[[Tensor], Tensor], *, num_importance_samples: Tensor, seed: Seed
) -> Tensor:
    """Computes log p(x, z_k) - log q(z_k) `[B, K]` with z_k ~ q, in float64.

    Args:
        proposal: q, of batch shape `[B]`.
        log_joint: Takes z `[C, B, D]` and returns log p(x, z) `[C, B]`.
        num_importance_samples: K, a scalar int32 tensor.
        seed: An int32 tensor `[2]`; chunk c of the draws has the seed `fold_in(seed, c)`.
    """

    def add_chunk(chunk: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
        size = tf.minimum(_CHUNK_SIZE, num_importance_samples - chunk * _CHUNK_SIZE)
        z, log_q = proposal.experimental_sample_and_log_prob([size], seed=fold_in(seed, chunk))  # [C, B, D], [C, B]
        return chunk + 1, tf.concat([log_weights, tf.cast(log_joint(z) - log_q, tf.float64)], axis=0)

    _, log_weights = tf.while_loop(
        lambda chunk, _: chunk * _CHUNK_SIZE < num_importance_samples,
        add_chunk,
        (tf.constant(0), tf.zeros([0, proposal.batch_shape_tensor()[0]], tf.float64)),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None])),
        parallel_iterations=1,
    )
    return tf.transpose(log_weights)
