"""Means over draws and their sampling variances, computed in a loop in constant memory."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._seeds import fold_in
from tfvae.typing import Seed, Tensor


class Moments(NamedTuple):
    """Result of `moments_over_draws`; both fields have the structure and the shapes of one draw.

    Attributes:
        mean: The means.
        variance: The sampling variance of each mean, from the draws' spread; NaN for one draw.
    """

    mean: Any
    variance: Any


def moments_over_draws(draw: Callable[[Tensor], Any], num_samples: Tensor, seed: Seed) -> Moments:
    """Computes the mean of `draw(seed)` over `num_samples` draws, with one draw in memory at a time.

    Args:
        draw: Takes a seed `[2]` and returns a nest of floating-point tensors.
        num_samples: S, a scalar int32 tensor, at least 1.
        seed: An int32 tensor `[2]`; draw s has the seed `fold_in(seed, s)`.

    Numerics:
        Uses Welford's running variance, so that equal draws have a variance of exactly zero. If a draw is infinite, the
        mean is infinite and its variance is NaN.
    """
    first = draw(fold_in(seed, 0))
    leaves = tf.nest.flatten(first)

    def add(s: Tensor, means: list[Tensor], squares: list[Tensor]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        new_means, new_squares = [], []
        for value, mean, square in zip(tf.nest.flatten(draw(fold_in(seed, s))), means, squares, strict=True):
            deviation = value - mean
            updated = mean + deviation / tf.cast(s + 1, mean.dtype)
            # After an infinite draw the mean stays infinite.
            new_mean = tf.ensure_shape(tf.where(tf.math.is_finite(deviation), updated, mean + value), mean.shape)
            new_squares.append(tf.ensure_shape(square + deviation * (value - new_mean), mean.shape))
            new_means.append(new_mean)
        return s + 1, new_means, new_squares

    _, means, squares = tf.while_loop(
        lambda s, *_: s < num_samples,
        add,
        (tf.constant(1), leaves, [tf.zeros_like(leaf) for leaf in leaves]),
        parallel_iterations=1,
    )
    counts = [tf.cast(num_samples, leaf.dtype) for leaf in leaves]
    variances = [square / (n * (n - 1.0)) for square, n in zip(squares, counts, strict=True)]
    return Moments(tf.nest.pack_sequence_as(first, means), tf.nest.pack_sequence_as(first, variances))
