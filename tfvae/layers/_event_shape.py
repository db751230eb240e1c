"""Event shapes, as users write them: an int, a sequence of ints, or a TensorShape."""

import math
import operator
from typing import Any

import tensorflow as tf


def event_shape_tuple(event_shape: Any) -> tuple[int, ...]:
    """A tuple of plain ints.

    Raises:
        ValueError: for an axis that is unknown or negative.
    """
    if isinstance(event_shape, tf.TensorShape):
        event_shape = event_shape.as_list()
    try:
        axes: tuple[int, ...] = (operator.index(event_shape),)
    except TypeError:
        try:
            axes = tuple(operator.index(axis) for axis in event_shape)
        except TypeError:
            axes = (-1,)
    if any(axis < 0 for axis in axes):
        raise ValueError(f"An event shape is an int or a sequence of ints, none negative. Received: {event_shape!r}.")
    return axes


def event_size(event_shape: Any) -> int:
    """How many numbers an event has, as a plain int: `keras.layers.Dense` rejects numpy's."""
    return math.prod(event_shape_tuple(event_shape))


def event_size_of(size: int) -> int:
    """The number of dimensions of a vector, as a plain int.

    Raises:
        ValueError: for less than 1.
    """
    size = event_size(size)
    if size < 1:
        raise ValueError(f"event_size is at least 1. Received: {size}.")
    return size
