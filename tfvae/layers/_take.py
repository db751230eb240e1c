"""Values at fixed places of an axis."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.typing import Tensor


def take(values: Tensor, places: np.ndarray, axis: int = -1) -> Tensor:
    """Returns the values at some places of an axis, with a gradient that costs no more than the values.

    The gradient of `tf.gather` adds up repeated places, one after the other. Here places are distinct, so that it is
    a gather too.

    Args:
        values: Tensor whose axis has a static length N.
        places: Distinct indices `[M]`, among which N may be repeated: there the result is zero.
        axis: The axis.
    """
    size = values.shape[axis]
    if np.array_equal(places, np.arange(size)):
        return values
    is_place = places < size
    inverse = np.full(size, len(places))
    inverse[places[is_place]] = np.flatnonzero(is_place)

    @tf.custom_gradient
    def taken(values: Tensor) -> tuple[Tensor, Any]:
        padded = values
        if not is_place.all():
            padded = tf.concat([values, tf.zeros_like(tf.gather(values, [0], axis=axis))], axis=axis)
        return tf.gather(padded, places, axis=axis), lambda upstream: take(upstream, inverse, axis)

    return taken(values)
