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


def event_shape_or_tensor(event_shape: Any) -> Any:
    """A tuple of plain ints, or the tensor as it is, where its values show only when a graph runs."""
    static = tf.get_static_value(event_shape) if tf.is_tensor(event_shape) else event_shape
    return event_shape if static is None else event_shape_tuple(static)


def event_rank(event_shape: Any) -> Any:
    """The number of axes: an int, or a tensor where the shape is a tensor of unknown size."""
    axes = _axes(event_shape)
    return tf.size(axes) if axes.shape[0] is None else axes.shape[0]


def unflatten(params: tf.Tensor, event_shape: Any) -> tf.Tensor:
    """Parameters `[..., prod(event_shape)]` as `[..., *event_shape]`."""
    return tf.reshape(params, tf.concat([tf.shape(params)[:-1], _axes(event_shape)], axis=0))


def _axes(event_shape: Any) -> tf.Tensor:
    return tf.reshape(tf.cast(event_shape_or_tensor(event_shape), tf.int32), [-1])


def event_size(event_shape: Any) -> int:
    """How many numbers an event has, as a plain int: `keras.layers.Dense` rejects numpy's."""
    return math.prod(event_shape_tuple(event_shape))


def event_size_of(size: int, name: str = "event_size") -> int:
    """The number of dimensions of a vector, as a plain int; also from a shape of one axis.

    Raises:
        ValueError: for less than 1, or a shape of other than one axis.
    """
    try:
        axes = event_shape_tuple(size)
    except ValueError:
        axes = ()
    if len(axes) != 1 or axes[0] < 1:
        raise ValueError(f"{name} is a whole number, at least 1. Received: {size!r}.")
    return axes[0]
