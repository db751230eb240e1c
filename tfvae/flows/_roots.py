"""Roots of increasing functions, which invert transforms that have no closed inverse."""

from collections.abc import Callable

import tensorflow as tf

from tfvae.typing import Tensor

# Each step halves the bracket or is Newton's, which doubles the number of correct digits near the root.
_NUM_STEPS = 60


def increasing_root(fn: Callable[[Tensor], tuple[Tensor, Tensor]], lowest: Tensor, highest: Tensor) -> Tensor:
    """Computes the root of an increasing function for each element, with its gradient by what the function reads.

    Newton's method within a bracket that shrinks in every step; a step that would leave it goes to its middle. The
    gradient is that of one more Newton step, x - f(x) / f'(x) with f'(x) constant, which is -df / f'(x) at the root.

    Args:
        fn: Function that computes f(x) and f'(x) > 0 for each element.
        lowest: Where f is at most zero, `[...]`.
        highest: Where f is at least zero, `[...]`.

    Returns:
        The roots `[...]`, to the rounding of f.
    """
    lowest, highest = tf.stop_gradient(lowest), tf.stop_gradient(highest)

    def step(index: Tensor, low: Tensor, high: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        value, slope = fn(x)
        low, high = tf.where(value <= 0, x, low), tf.where(value >= 0, x, high)
        newton = x - value / slope
        inside = (newton >= low) & (newton <= high)  # false for NaN
        return index + 1, low, high, tf.where(inside, newton, low + (high - low) / 2)

    start = tf.constant(0), lowest, highest, lowest + (highest - lowest) / 2
    *_, x = tf.while_loop(lambda index, *_: index < _NUM_STEPS, step, start, maximum_iterations=_NUM_STEPS)
    x = tf.stop_gradient(x)
    value, slope = fn(x)
    return x - value / tf.stop_gradient(slope)
