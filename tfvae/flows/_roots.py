"""Roots of increasing functions, which invert transforms that have no closed inverse."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfvae.typing import Tensor

# Each step halves the bracket or is Newton's, which doubles the number of correct digits near the root. Most roots
# take less than ten.
_MAX_STEPS = 60


def increasing_root(fn: Callable[[Tensor], tuple[Tensor, Tensor]], lowest: Tensor, highest: Tensor) -> Tensor:
    """Computes the root of an increasing function for each element, with its gradient by what the function reads.

    Newton's method within a bracket that shrinks in every step; a step that would leave it goes to its middle. An
    element stays where it is once its step is within the rounding, so it does not depend on the others. The gradient is
    that of one more Newton step, x - f(x) / f'(x) with f'(x) constant, which is -df / f'(x) at the root.

    Args:
        fn: Function that computes f(x) and f'(x) > 0 for each element.
        lowest: Where f is at most zero, `[...]`.
        highest: Where f is at least zero, `[...]`.

    Returns:
        The roots `[...]`, to the rounding of f.
    """
    lowest, highest = tf.stop_gradient(lowest), tf.stop_gradient(highest)
    rounding = 2 * float(np.finfo(lowest.dtype.as_numpy_dtype).eps)

    def step(pending: Tensor, low: Tensor, high: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        value, slope = fn(x)
        low, high = tf.where(value <= 0, x, low), tf.where(value >= 0, x, high)
        newton = x - value / slope
        inside = (newton >= low) & (newton <= high)  # false for NaN
        stepped = tf.where(pending, tf.where(inside, newton, low + (high - low) / 2), x)
        return pending & (tf.abs(stepped - x) > rounding * tf.abs(x)), low, high, stepped

    start = tf.ones_like(lowest, tf.bool), lowest, highest, lowest + (highest - lowest) / 2
    *_, x = tf.while_loop(lambda pending, *_: tf.reduce_any(pending), step, start, maximum_iterations=_MAX_STEPS)
    x = tf.stop_gradient(x)
    value, slope = fn(x)
    return x - value / tf.stop_gradient(slope)


def root_of_bend(stretch: Tensor, slope: Tensor, shift: Tensor, target: Tensor) -> Tensor:
    """Computes the a with a + stretch tanh(slope a + shift) = target `[...]`, for stretch * slope > -1."""

    def excess(a: Tensor) -> tuple[Tensor, Tensor]:
        bend = tf.tanh(slope * a + shift)
        return a + stretch * bend - target, 1 + stretch * slope * (1 - bend**2)

    reach = tf.abs(stretch)
    return increasing_root(excess, target - reach, target + reach)
