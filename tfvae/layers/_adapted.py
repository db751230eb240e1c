"""Layers that store the mean and the standard deviation of each value of the data."""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae.data.examples import Examples, is_dictionary, unpack

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
        whose standard deviation is close to the float32 spacing at their magnitude. Missing values, which are NaN or
        False in a mask, are left out.

        Args:
            data: Array `[N, *event]`, a dictionary with the keys "x" and "observed", or a `tf.data.Dataset` of batches
                of x, of such dictionaries, or of tuples that begin with one of these.

        Raises:
            ValueError: If there are no examples, or if their shape differs from the layer's.
        """
        mean, stddev, largest, counts = moments(data)
        if self.loc is None:
            self.build((None, *mean.shape))
        if tuple(self.loc.shape) != mean.shape:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' expects examples of shape {tuple(self.loc.shape)}. "
                f"Received: shape={mean.shape}"
            )
        constant = is_constant(mean, stddev)
        coarse = ~constant & is_coarse(stddev, largest)
        never = counts == 0
        constant |= never
        if never.any():
            warnings.warn(
                f"{_description(never)} missing in all examples. They get mean 0 and standard deviation 1. Remove them "
                "from the data.",
                stacklevel=2,
            )
        same = constant & ~never
        if same.any():
            warnings.warn(
                f"{_description(same)} the same in all examples in float32. Their density has no upper bound, and "
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


def float_dtype(dtype: Any) -> str:
    """Returns float32, or float64 for a layer of this dtype, for layers whose input is data in any unit.

    A `Sequential` casts its input to the compute dtype of its first layer, which must not be half precision.
    """
    return "float64" if keras.dtype_policies.get(dtype).variable_dtype == "float64" else "float32"


def is_constant(mean: np.ndarray, stddev: np.ndarray) -> np.ndarray:
    """Returns where values are the same in all examples, in float32."""
    return stddev <= np.maximum(_RESOLUTION * np.abs(mean), _MIN_SCALE)


def is_coarse(stddev: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Returns where float32 rounds off a visible part of the variation."""
    return _RESOLUTION * largest > _COARSE_SHARE * stddev


def moments(data: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns mean, standard deviation, largest absolute value and count of each value of the event, in float64.

    They are those of the observed values. A value that is never observed has mean and standard deviation 0.

    Raises:
        ValueError: If there are no examples.
    """
    return moments_of_chunks(chunks(data))


def moments_of_chunks(
    data: Iterable[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns the `moments` of data in chunks: values in float64 and where they are observed, `[B, *event]` each."""
    is_empty = True
    mean = spread = largest = counts = np.zeros(())
    for x, observed in data:
        count = observed.sum(axis=0)
        chunk_mean = x.sum(axis=0, where=observed) / np.maximum(count, 1)
        # Chan, Golub & LeVeque 1979: combines sums of squares about the mean of each chunk, without cancellation.
        delta, total = chunk_mean - mean, counts + count
        share = count / np.maximum(total, 1)
        spread = (
            spread
            + np.square(x - chunk_mean).sum(axis=0, where=observed)
            + np.square(delta) * (counts * count / np.maximum(total, 1))
        )
        mean = mean + delta * share
        largest = np.maximum(largest, np.abs(x).max(axis=0, where=observed, initial=0.0))
        counts, is_empty = total, False
    if is_empty:
        raise ValueError("`adapt` needs at least one example. Received: 0 examples")
    return mean, np.sqrt(spread / np.maximum(counts, 1)), largest, counts


def chunks(data: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields some examples in float64 and where their values are observed, `[B, *event]` each."""
    if isinstance(data, tf.data.Dataset):
        for batch in data:
            yield from chunks(batch[0] if isinstance(batch, tuple) else batch)
        return
    found = unpack(data) if is_dictionary(data) else Examples(data)
    array = np.asarray(found.x)
    for start in range(0, len(array), _CHUNK_SIZE):
        rows = slice(start, start + _CHUNK_SIZE)
        x = array[rows].astype(np.float64)
        observed = ~np.isnan(x)
        if found.observed is not None:
            observed &= np.asarray(found.observed[rows], bool)
        yield x, observed


def _description(chosen: np.ndarray) -> str:
    """Returns the start of a sentence: the number of chosen values of an example, and the index of the first."""
    if not chosen.ndim:
        return "The values are"
    first = [int(axis[0]) for axis in np.nonzero(chosen)]
    place = first[0] if len(first) == 1 else tuple(first)
    number = int(chosen.sum())
    count = f"{number} of {chosen.size} values of an example"
    return f"{count} (index {place}) is" if number == 1 else f"{count} (the first at index {place}) are"
