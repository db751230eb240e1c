"""Reductions over a short axis before long ones."""

from collections.abc import Callable

import tensorflow as tf

from tfvae.typing import Tensor


def sum_over(values: Tensor, axis: int) -> Tensor:
    """Returns the sum over an axis of static length.

    It is made of sums of halves, which XLA computes for many numbers of the last axis at once on a CPU. Its own
    reduction would go through the short axis for one of them after the other.

    Args:
        values: Tensor.
        axis: A negative number, the axis from the last one.
    """

    @tf.custom_gradient
    def summed(values: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        total = _by_halves(tf.add, values, axis)
        return total, lambda upstream: tf.broadcast_to(tf.expand_dims(upstream, axis), tf.shape(values))

    return summed(values)


def largest_over(values: Tensor, axis: int) -> Tensor:
    """Returns the maximum over an axis, as a constant for gradients."""
    return tf.stop_gradient(_by_halves(tf.maximum, tf.stop_gradient(values), axis))


def any_over(values: Tensor, axis: int) -> Tensor:
    """Returns whether any of the values of an axis is true."""
    return _by_halves(tf.logical_or, values, axis)


def log_sum_exp_over(values: Tensor, axis: int) -> Tensor:
    """Returns the log of the sum of exponentials over an axis, of which at least one is finite."""
    largest = largest_over(values, axis)
    return largest + tf.math.log(sum_over(tf.exp(values - tf.expand_dims(largest, axis)), axis))


def _by_halves(function: Callable[[Tensor, Tensor], Tensor], values: Tensor, axis: int) -> Tensor:
    rest = None
    while (length := values.shape[axis]) > 1:
        half = length // 2
        first, second, last = tf.split(values, [half, half, length - 2 * half], axis=axis)
        values = function(first, second)
        if length % 2:
            rest = last if rest is None else function(rest, last)
    return tf.squeeze(values if rest is None else function(values, rest), axis)
