"""Reads examples from whatever users give: arrays, splits and datasets of batches, also with labels and weights."""

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._arrays import is_array_like, plain_array
from tfvae.data.any_split import AnySplit
from tfvae.data.examples import Examples, is_dictionary, unpack
from tfvae.data.noise import scaled
from tfvae.data.sharded_split import ShardedSplit, reporting_damaged_shards
from tfvae.data.sparse_split import SparseSplit
from tfvae.data.split import Split
from tfvae.data.splits import Splits


def is_readable(data: Any) -> bool:
    """Whether `data` holds examples that can be read again; a generator gives its examples only once."""
    if _has_parts(data):
        return is_readable(unpack(data).x)
    return _is_stream(data) or tf.is_tensor(data) or isinstance(data, keras.Variable) or is_array_like(data)


def is_endless(data: Any) -> bool:
    """Whether `data` is a dataset that repeats without end."""
    if isinstance(data, tf.data.Dataset):
        return bool(data.cardinality() == tf.data.INFINITE_CARDINALITY)
    return isinstance(data, keras.utils.PyDataset) and data.num_batches is None


def in_memory(data: Any, name: str = "data") -> Examples | None:
    """Returns the examples of arrays, with their labels and weights; None for splits and datasets.

    Tables, sparse matrices and lists of numbers become arrays; tensors stay tensors.

    Args:
        data: What a user gives.
        name: Its name in messages.

    Raises:
        TypeError: If `data` is neither an array, a split nor a dataset.
        ValueError: If values are masked or missing, or rows differ in length.
    """
    if _has_parts(data):
        parts = unpack(data)
        found = in_memory(parts.x, name)
        return None if found is None else parts._replace(x=found.x)
    return None if _is_stream(data) else Examples(_array(data, name))


def batches(data: Any, batch_size: int | None, name: str = "data") -> Iterator[Examples]:
    """Yields the examples in order, batch by batch. A dataset keeps its own batches.

    Args:
        data: An array, a split or a dataset of batches; x, (x, y), (x, y, sample_weight) or dictionaries of these.
        batch_size: The number of examples taken from an array or a split at a time; None takes all.
        name: The name of `data` in messages.

    Raises:
        TypeError: If `data` is neither an array, a split nor a dataset.
        ValueError: If values are masked or missing, or rows differ in length.
        DataError: If a shard is damaged.
    """
    found = in_memory(data, name)
    if found is not None:
        yield from _slices(found, batch_size)
    elif isinstance(data, Split):
        for part in _slices(Examples(data.raw, data.labels, None, data.condition, data.observed), batch_size):
            yield part._replace(x=scaled(part.x, data.num_levels))
    elif isinstance(data, SparseSplit):
        yield from map(unpack, data.batches(len(data) if batch_size is None else batch_size, labels=data.has_labels))
    elif isinstance(data, ShardedSplit):
        with reporting_damaged_shards(data):
            for batch in data.batches(len(data) if batch_size is None else batch_size, labels=data.has_labels):
                yield unpack(batch)
    elif isinstance(data, tf.data.Dataset):
        yield from map(unpack, data)
    elif isinstance(data, keras.utils.PyDataset):
        for i in itertools.count() if data.num_batches is None else range(data.num_batches):
            batch = unpack(data[i])
            yield batch._replace(x=_array(batch.x, name))
    else:
        yield from batches(unpack(data).x, batch_size, name)


def first(data: Any, count: int, name: str = "data") -> Examples | None:
    """Reads the first `count` examples, or all where there are fewer; None where there are none.

    Of a dataset, y counts as labels where each batch has one number or word for each of its examples.

    Raises:
        TypeError: If `data` is neither an array, a split nor a dataset.
        ValueError: If batches differ in event shape, values are masked or missing, or rows differ in length.
        DataError: If a shard is damaged.
    """
    if isinstance(data, ShardedSplit | SparseSplit):
        data = data.take(min(count, len(data)))
    x: list[np.ndarray] = []
    labels: list[Any] = []
    conditions: list[Any] = []
    masks: list[Any] = []
    for batch in batches(data, count, name):
        x.append(np.asarray(_array(batch.x, name)))
        labels.append(batch.labels if np.shape(batch.labels) == x[-1].shape[:1] else None)
        conditions.append(batch.condition)
        masks.append(batch.observed)
        if sum(map(len, x)) >= count:
            break
    shapes = {part.shape[1:] for part in x}
    if len(shapes) > 1:
        raise ValueError(f"{name} has batches of several event shapes: {sorted(shapes)}.")
    if not x:
        return None
    labels_of, condition, observed = (_joined(parts, count) for parts in (labels, conditions, masks))
    return Examples(np.concatenate(x)[:count], labels_of, None, condition, observed)


def _joined(parts: list[Any], count: int) -> np.ndarray | None:
    """The first `count` rows of batches; None where a batch has none."""
    return None if any(part is None for part in parts) else np.concatenate(parts)[:count]


def spread(data: Any, count: int, name: str = "data") -> Examples | None:
    """Reads at most `count` examples, x with its condition and mask, spread evenly over an array or a split.

    Arrays and splits may be ordered. Of shards and datasets they are the first ones. None where there are no examples.

    Raises:
        TypeError: If `data` is neither an array, a split nor a dataset.
        ValueError: As `first`.
        DataError: If a shard is damaged.
    """
    if isinstance(data, Split):
        split = data.rows(_evenly(len(data), count))
        return Examples(split.x, None, None, split.condition, split.observed)
    found = in_memory(data, name)
    if found is None:
        return first(data, count, name)
    rows = _evenly(len(found.x), count)
    of_rows = (None if part is None else np.asarray(part)[rows] for part in (found.condition, found.observed))
    return Examples(np.asarray(found.x)[rows], None, None, *of_rows)


def _has_parts(data: Any) -> bool:
    return bool((isinstance(data, tuple) and len(data)) or (is_dictionary(data) and len(data)))


def _is_stream(data: Any) -> bool:
    return isinstance(data, AnySplit | tf.data.Dataset | keras.utils.PyDataset)


def _array(data: Any, name: str) -> Any:
    """Tensors unchanged; other arrays, tables and lists as a NumPy array `[N, ...]`."""
    if isinstance(data, tf.SparseTensor):
        raise ValueError(
            f"{name} is a tf.SparseTensor, and dense data are expected. Convert it with tf.sparse.to_dense(x). "
            f"Received: shape {tuple(data.shape)}."
        )
    if isinstance(data, tf.RaggedTensor):
        raise ValueError(
            f"{name} is a tf.RaggedTensor: its examples differ in shape, and one event shape is expected. Pad them, "
            f"x.to_tensor(), or crop them to one size. Received: shape {tuple(data.shape)}."
        )
    if isinstance(data, tf.Variable | keras.Variable):
        return tf.convert_to_tensor(data)
    if tf.is_tensor(data):
        return data
    array = plain_array(data, name) if is_array_like(data) else None
    if array is not None and array.ndim:
        return array
    if isinstance(data, Splits):
        raise TypeError(f"{name} is a tfvae.data.Splits. Give one of its splits, such as splits.test.")
    raise TypeError(
        f"`{name}` must be an array [N, *event], a tfvae.data.Split, a tf.data.Dataset of batches, or one of these "
        "with labels: (x, y), {'image': x}. A generator can be read only once: make a dataset of it with "
        f"tf.data.Dataset.from_generator. Received: {name}={str(data)[:80]} (of type {type(data).__name__})"
    )


def _slices(examples: Examples, batch_size: int | None) -> Iterator[Examples]:
    size = examples.x.shape[0]
    step = max(1, size if batch_size is None else batch_size)
    for start in range(0, size, step):
        yield Examples(*(_rows(part, start, start + step) for part in examples))


def _rows(part: Any, start: int, stop: int) -> Any:
    """Some rows of x, labels or weights; what has no rows is returned unchanged."""
    return part[start:stop] if isinstance(part, list | tuple) or len(getattr(part, "shape", ())) else part


def _evenly(size: int, count: int) -> np.ndarray:
    """The positions of at most `count` of `size` examples, at equal distances."""
    return np.linspace(0, size - 1, min(count, size)).round().astype(int)
