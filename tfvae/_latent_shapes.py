"""Shapes of z: a tuple of ints, or a nested structure of tuples if z has several parts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf


def plain_shape(event_shape: Any) -> Any:
    """Converts the event shape of a distribution to tuples and dictionaries of tuples."""
    if isinstance(event_shape, tf.TensorShape):
        return tuple(event_shape.as_list())
    if isinstance(event_shape, Mapping):
        return {name: plain_shape(part) for name, part in event_shape.items()}
    return tuple(event_shape) if _is_one_shape(event_shape) else tuple(plain_shape(part) for part in event_shape)


def shapes_of_parts(event_shape: Any) -> list[tuple[int, ...]]:
    """Returns the shapes of the parts of z, in the order of `tf.nest.flatten(z)`."""
    if isinstance(event_shape, tf.TensorShape) or _is_one_shape(event_shape):
        return [plain_shape(event_shape)]
    parts = [event_shape[name] for name in sorted(event_shape)] if isinstance(event_shape, Mapping) else event_shape
    return [shape for part in parts for shape in shapes_of_parts(part)]


def _is_one_shape(event_shape: Any) -> bool:
    if isinstance(event_shape, Mapping):
        return False
    return all(axis is None or isinstance(axis, int | np.integer) for axis in event_shape)
