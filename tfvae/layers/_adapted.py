"""Layers that keep the mean and the standard deviation of each value of the data."""

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_CHUNK = 4096
# Spacing of float32 numbers, relative to their size.
_RESOLUTION = float(np.finfo(np.float32).eps)
_LEAST_SCALE = float(np.finfo(np.float32).tiny)
# From this share of a standard deviation on, the steps of float32 numbers are a visible part of the data.
_COARSE = 0.02


class Adapted(keras.layers.Layer):
    """A layer with the weights `loc` and `scale` of the data, which no training changes; `adapt` sets them."""

    loc: Any = None
    scale: Any = None

    def _add_statistics(self, event_shape: tuple[int, ...]) -> None:
        self.loc = self.add_weight(name="loc", shape=event_shape, initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=event_shape, initializer="ones", trainable=False)

    def adapt(self, data: Any) -> None:
        """Sets `loc` and `scale` to the mean and the standard deviation of each value over the examples.

        A value that never changes has no scale of its own and gets 1; a warning names such values, and values whose
        standard deviation is not much more than the spacing of float32 numbers of their size.

        Args:
            data: an array `[N, *event]`, or a `tf.data.Dataset` of batches of x, or of tuples that begin with x.

        Raises:
            ValueError: when there are no examples, or their shape is not the layer's.
        """
        mean, stddev, largest = moments(data)
        if self.loc is None:
            self.build((None, *mean.shape))
        if tuple(self.loc.shape) != mean.shape:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' takes examples of shape {tuple(self.loc.shape)}. "
                f"Received examples of shape {mean.shape}."
            )
        constant = stddev <= np.maximum(_RESOLUTION * np.abs(mean), _LEAST_SCALE)
        coarse = ~constant & (_RESOLUTION * largest > _COARSE * stddev)
        if constant.any():
            warnings.warn(
                f"{_named(constant)} the same in all examples as float32 holds them, so that a density has no upper "
                "bound there and their part of log p(x) says nothing. They get standard deviation 1. Leave them out of "
                "the data; where they differ by less than float32 can tell, subtract a constant or change their unit.",
                stacklevel=2,
            )
        if coarse.any():
            warnings.warn(
                f"{_named(coarse)} so far from zero that float32 rounds off a visible part of the variation. "
                "Subtract a constant before you store the data, such as the first time stamp.",
                stacklevel=2,
            )
        self.loc.assign(mean)
        self.scale.assign(np.where(constant, 1.0, stddev))
        self._fix(constant)

    def _fix(self, constant: np.ndarray) -> None:
        """For layers that treat values `[*event]` that never change in another way."""


def moments(data: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and largest absolute value of each value of the event, in float64.

    Raises:
        ValueError: when there are no examples.
    """
    count = 0
    mean = spread = largest = np.zeros(())
    for x in _chunks(data):
        own = x.mean(axis=0, dtype=np.float64)
        # Chan, Golub & LeVeque 1979: sums of squares of parts about their own means, combined without cancellation.
        delta, total = own - mean, count + len(x)
        spread = spread + np.square(x - own).sum(axis=0) + np.square(delta) * (count * len(x) / total)
        mean = mean + delta * (len(x) / total)
        largest = np.maximum(largest, np.abs(x).max(axis=0))
        count = total
    if not count:
        raise ValueError("`adapt` needs at least one example. Received no examples.")
    return mean, np.sqrt(spread / count), largest


def _chunks(data: Any) -> Iterator[np.ndarray]:
    if isinstance(data, tf.data.Dataset):
        for batch in data:
            x = np.asarray(batch[0] if isinstance(batch, tuple) else batch)
            if len(x):
                yield x.astype(np.float64)
        return
    array = np.asarray(data)
    for start in range(0, len(array), _CHUNK):
        yield array[start : start + _CHUNK].astype(np.float64)


def _named(chosen: np.ndarray) -> str:
    """The subject and verb of a sentence: how many values of an example are chosen, and where the first one is."""
    if not chosen.ndim:
        return "The values are"
    first = [int(axis[0]) for axis in np.nonzero(chosen)]
    place = first[0] if len(first) == 1 else tuple(first)
    number = int(chosen.sum())
    count = f"{number} of {chosen.size} values of an example"
    return f"{count} (index {place}) is" if number == 1 else f"{count} (the first at index {place}) are"
