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
        known = ", known when the layer is made" if is_symbolic(event_shape) else ""
        raise ValueError(
            f"An event shape is an int or a sequence of ints, none negative{known}. Received: {event_shape!r}."
        )
    return axes


def event_shape_or_tensor(event_shape: Any) -> Any:
    """A tuple of plain ints, or the tensor as it is, where its values show only when a graph runs."""
    if is_symbolic(event_shape):
        return tf.stack([tf.cast(axis, tf.int32) for axis in event_shape]) if _is_list(event_shape) else event_shape
    return event_shape_tuple(tf.get_static_value(event_shape) if tf.is_tensor(event_shape) else event_shape)


def is_symbolic(size: Any) -> bool:
    """Whether a size, or one of a list, is a tensor whose value shows only when a graph runs."""
    if _is_list(size):
        return any(map(is_symbolic, size))
    return tf.is_tensor(size) and tf.get_static_value(size) is None


def _is_list(size: Any) -> bool:
    return isinstance(size, list | tuple)


def event_rank(event_shape: Any) -> Any:
    """The number of axes: an int, or a tensor where the shape is a tensor of unknown size."""
    axes = _axes(event_shape)
    return tf.size(axes) if axes.shape[0] is None else axes.shape[0]


def unflatten(params: tf.Tensor, event_shape: Any) -> tf.Tensor:
    """Parameters `[..., prod(event_shape)]` as `[..., *event_shape]`."""
    return tf.reshape(params, tf.concat([tf.shape(params)[:-1], _axes(event_shape)], axis=0))


def _axes(event_shape: Any) -> tf.Tensor:
    return tf.reshape(tf.cast(event_shape_or_tensor(event_shape), tf.int32), [-1])


def event_size(event_shape: Any) -> Any:
    """How many numbers an event has, as a plain int: `keras.layers.Dense` rejects numpy's; a tensor for a tensor."""
    if is_symbolic(event_shape):
        return tf.reduce_prod(_axes(event_shape))
    return math.prod(event_shape_tuple(event_shape))


def event_size_of(size: Any, name: str = "event_size") -> Any:
    """The number of dimensions of a vector, as a plain int; also from a shape of one axis; a tensor for a tensor.

    Raises:
        ValueError: for less than 1, or a shape of other than one axis.
    """
    if is_symbolic(size):
        return tf.reshape(_axes(size), [])
    size = tf.get_static_value(size) if tf.is_tensor(size) else size
    try:
        axes = event_shape_tuple(size)
    except ValueError:
        axes = ()
    if len(axes) != 1 or axes[0] < 1:
        raise ValueError(f"{name} is a whole number, at least 1. Received: {size!r}.")
    return axes[0]
