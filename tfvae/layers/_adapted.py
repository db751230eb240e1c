"""Layers that store the mean and the standard deviation of each value of the data."""

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_CHUNK_SIZE = 4096
# Relative spacing of float32 numbers.
_RESOLUTION = float(np.finfo(np.float32).eps)
_MIN_SCALE = float(np.finfo(np.float32).tiny)
# The float32 spacing is considered too coarse if it exceeds this share of the standard deviation.
_COARSE_SHARE = 0.02


class Adapted(keras.layers.Layer):
    """Layer with non-trainable weights `loc` and `scale`, which `adapt` computes from data."""

    loc: Any = None
    scale: Any = None

    def _add_statistics(self, event_shape: tuple[int, ...]) -> None:
        self.loc = self.add_weight(name="loc", shape=event_shape, initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=event_shape, initializer="ones", trainable=False)

    def adapt(self, data: Any) -> None:
        """Sets `loc` and `scale` to the mean and the standard deviation of each value over the examples.

        A value that is constant over the data gets standard deviation 1. A warning reports such values, and values
        whose standard deviation is close to the float32 spacing at their magnitude.

        Args:
            data: Array `[N, *event]`, or a `tf.data.Dataset` of batches of x or of tuples that begin with x.

        Raises:
            ValueError: If there are no examples, or if their shape differs from the layer's.
        """
        mean, stddev, largest = moments(data)
        if self.loc is None:
            self.build((None, *mean.shape))
        if tuple(self.loc.shape) != mean.shape:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' expects examples of shape {tuple(self.loc.shape)}. "
                f"Received: shape={mean.shape}"
            )
        constant = stddev <= np.maximum(_RESOLUTION * np.abs(mean), _MIN_SCALE)
        coarse = ~constant & (_RESOLUTION * largest > _COARSE_SHARE * stddev)
        if constant.any():
            warnings.warn(
                f"{_description(constant)} the same in all examples in float32. Their density has no upper bound, and "
                "their part of log p(x) is meaningless. They get standard deviation 1. Remove them from the data. If "
                "they differ by less than the precision of float32, subtract a constant or change their unit.",
                stacklevel=2,
            )
        if coarse.any():
            warnings.warn(
                f"{_description(coarse)} so far from zero that float32 rounds off a visible part of the variation. "
                "Subtract a constant, such as the first time stamp, before storing the data.",
                stacklevel=2,
            )
        self.loc.assign(mean)
        self.scale.assign(np.where(constant, 1.0, stddev))
        self._handle_constant_values(constant)

    def _handle_constant_values(self, constant: np.ndarray) -> None:
        """Hook for layers that treat constant values differently; `constant` is a boolean mask `[*event]`."""


def moments(data: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the mean, standard deviation and largest absolute value of each value of the event, in float64.

    Raises:
        ValueError: If there are no examples.
    """
    count = 0
    mean = spread = largest = np.zeros(())
    for x in _chunks(data):
        chunk_mean = x.mean(axis=0, dtype=np.float64)
        # Chan, Golub & LeVeque 1979: combines sums of squares about the mean of each chunk, without cancellation.
        delta, total = chunk_mean - mean, count + len(x)
        spread = spread + np.square(x - chunk_mean).sum(axis=0) + np.square(delta) * (count * len(x) / total)
        mean = mean + delta * (len(x) / total)
        largest = np.maximum(largest, np.abs(x).max(axis=0))
        count = total
    if not count:
        raise ValueError("`adapt` needs at least one example. Received: 0 examples")
    return mean, np.sqrt(spread / count), largest


def _chunks(data: Any) -> Iterator[np.ndarray]:
    if isinstance(data, tf.data.Dataset):
        for batch in data:
            x = np.asarray(batch[0] if isinstance(batch, tuple) else batch)
            if len(x):
                yield x.astype(np.float64)
        return
    array = np.asarray(data)
    for start in range(0, len(array), _CHUNK_SIZE):
        yield array[start : start + _CHUNK_SIZE].astype(np.float64)


def _description(chosen: np.ndarray) -> str:
    """Returns the start of a sentence: the number of chosen values of an example, and the index of the first."""
    if not chosen.ndim:
        return "The values are"
    first = [int(axis[0]) for axis in np.nonzero(chosen)]
    place = first[0] if len(first) == 1 else tuple(first)
    number = int(chosen.sum())
    count = f"{number} of {chosen.size} values of an example"
    return f"{count} (index {place}) is" if number == 1 else f"{count} (the first at index {place}) are"
