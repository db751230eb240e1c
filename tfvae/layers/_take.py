"""Values at fixed places of the last axis."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.typing import Tensor


def take(values: Tensor, places: np.ndarray) -> Tensor:
    """Returns `values[..., places]`, whose gradient costs no more than the values.

    The gradient of `tf.gather` adds up repeated places, one after the other. Here places are distinct, so that it is
    a gather too.

    Args:
        values: Tensor `[..., N]` of static length N.
        places: Distinct indices `[M]`, among which N may be repeated: there the result is zero.
    """
    size = values.shape[-1]
    if np.array_equal(places, np.arange(size)):
        return values
    is_place = places < size
    inverse = np.full(size, len(places))
    inverse[places[is_place]] = np.flatnonzero(is_place)

    @tf.custom_gradient
    def taken(values: Tensor) -> tuple[Tensor, Any]:
        padded = values if is_place.all() else tf.concat([values, tf.zeros_like(values[..., :1])], axis=-1)
        return tf.gather(padded, places, axis=-1), lambda upstream: take(upstream, inverse)

    return taken(values)


def take_rows(values: Tensor, places: np.ndarray) -> Tensor:
    """Returns `values[places]` for distinct places of the first axis, as `take` does for the last."""
    size = values.shape[0]
    if np.array_equal(places, np.arange(size)):
        return values
    is_place = places < size
    inverse = np.full(size, len(places))
    inverse[places[is_place]] = np.flatnonzero(is_place)

    @tf.custom_gradient
    def taken(values: Tensor) -> tuple[Tensor, Any]:
        padded = values if is_place.all() else tf.concat([values, tf.zeros_like(values[:1])], axis=0)
        return tf.gather(padded, places, axis=0), lambda upstream: take_rows(upstream, inverse)

    return taken(values)
