"""Normalisation of event shapes given as an int, a sequence of ints or a TensorShape."""

import math
import operator
from typing import Any

import tensorflow as tf


def event_shape_tuple(event_shape: Any) -> tuple[int, ...]:
    """Returns the event shape as a tuple of Python ints.

    Raises:
        ValueError: If an axis is unknown or negative.
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
        known = ", known when the layer is created" if is_symbolic(event_shape) else ""
        raise ValueError(
            f"The event shape must be a non-negative integer or a sequence of them{known}. "
            f"Received: event_shape={event_shape!r}"
        )
    return axes


def event_shape_or_tensor(event_shape: Any) -> Any:
    """Returns the event shape as a tuple of Python ints, or as a tensor if its values are known only at run time."""
    if is_symbolic(event_shape):
        return tf.stack([tf.cast(axis, tf.int32) for axis in event_shape]) if _is_list(event_shape) else event_shape
    return event_shape_tuple(tf.get_static_value(event_shape) if tf.is_tensor(event_shape) else event_shape)


def is_symbolic(size: Any) -> bool:
    """Whether a size, or an entry of a list of sizes, is a tensor whose value is known only at run time."""
    if _is_list(size):
        return any(map(is_symbolic, size))
    return tf.is_tensor(size) and tf.get_static_value(size) is None


def _is_list(size: Any) -> bool:
    return isinstance(size, list | tuple)


def event_rank(event_shape: Any) -> Any:
    """Returns the number of axes: an int, or a tensor if the shape is a tensor of unknown length."""
    axes = _axes(event_shape)
    return tf.size(axes) if axes.shape[0] is None else axes.shape[0]


def unflatten(params: tf.Tensor, event_shape: Any) -> tf.Tensor:
    """Reshapes parameters `[..., prod(event_shape)]` to `[..., *event_shape]`."""
    return tf.reshape(params, tf.concat([tf.shape(params)[:-1], _axes(event_shape)], axis=0))


def _axes(event_shape: Any) -> tf.Tensor:
    return tf.reshape(tf.cast(event_shape_or_tensor(event_shape), tf.int32), [-1])


def event_size(event_shape: Any) -> Any:
    """Returns the number of values in an event.

    The result is a Python int, because `keras.layers.Dense` rejects NumPy integers. It is a tensor if the shape is
    symbolic.
    """
    if is_symbolic(event_shape):
        return tf.reduce_prod(_axes(event_shape))
    return math.prod(event_shape_tuple(event_shape))


def event_size_of(size: Any, name: str = "event_size") -> Any:
    """Returns the number of dimensions of a vector as a Python int, or as a tensor if it is symbolic.

    The size may also be a shape with one axis.

    Raises:
        ValueError: If the size is below 1, or if a shape does not have exactly one axis.
    """
    if is_symbolic(size):
        return tf.reshape(_axes(size), [])
    size = tf.get_static_value(size) if tf.is_tensor(size) else size
    try:
        axes = event_shape_tuple(size)
    except ValueError:
        axes = ()
    if len(axes) != 1 or axes[0] < 1:
        raise ValueError(f"`{name}` must be an integer of at least 1. Received: {name}={size!r}")
    return axes[0]
