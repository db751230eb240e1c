"""Conversion of user data to x in a form that Keras and the compiled steps accept."""

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._arrays import is_array_like, plain_array
from tfvae.data import Splits, reading
from tfvae.data.any_split import AnySplit
from tfvae.data.batches import Batches
from tfvae.data.examples import CONDITION, OBSERVED, Examples, single, unpack, x_key
from tfvae.execution.device_batches import ArrayExamples, DeviceBatches
from tfvae.execution.device_copy import on_device
from tfvae.execution.stacked_batches import StackedBatches, fits_in_memory
from tfvae.models._checks import check_static
from tfvae.models._weights import as_weights
from tfvae.typing import Tensor

_PREVIEW_SIZE = 1024

# Error messages of TensorFlow about examples of different shapes.
_SHAPE_ERRORS = (
    re.compile(r"Shape of tensor \S* ?(?P<found>\[[\d,]*\]) is not compatible with expected shape (?P<other>\[.*?\])"),
    re.compile(r"yielded an element of shape (?P<found>\(.*?\)) where an element of shape (?P<other>\(.*?\)) was"),
    re.compile(
        r"Cannot (?:batch tensors with different shapes|add tensor to the batch).*?(?P<other>\[[\d,]*\])"
        r".*?(?P<found>\[[\d,]*\])",
        re.DOTALL,
    ),
)


def plain(x: Any, name: str = "x") -> Any:
    """Converts an array, a table or a list to a NumPy array of numbers. Tensors are returned unchanged.

    Raises:
        ValueError: If values are masked or missing, a column is not numeric, or rows differ in length.
        TypeError: If `x` is a split.
    """
    if isinstance(x, AnySplit | Splits):
        batches = "x.train.batches(100)" if isinstance(x, Splits) else "x.batches(100)"
        raise TypeError(f"{name} must not be a tfvae.data.{type(x).__name__}. Pass its batches, such as {batches}.")
    if isinstance(x, tf.SparseTensor | tf.RaggedTensor):
        check_static(x, None)
    if isinstance(x, tf.Variable | keras.Variable):
        return tf.convert_to_tensor(x)
    if tf.is_tensor(x) or isinstance(x, keras.KerasTensor) or not is_array_like(x):
        return x
    return plain_array(x, name)


def as_tensor(x: Any, event_shape: tuple[int, ...] | None) -> Tensor:
    """Converts an array `[B, *event]`, or a batch of a data set, to the tensor x.

    Raises:
        ValueError: If the data are not floating-point numbers of the event shape of the model.
    """
    is_dict = isinstance(x, dict) and not is_array_like(x)
    if is_dict or (isinstance(x, list | tuple) and _has_batch_axis(x, event_shape)):
        x = unpack(x).x
    if not (isinstance(x, list | tuple) and any(map(tf.is_tensor, x))):
        x = plain(x)
    x = tf.convert_to_tensor(x)
    check_static(x, event_shape)
    return x


def _has_batch_axis(parts: list[Any] | tuple[Any, ...], event_shape: tuple[int, ...] | None) -> bool:
    """Whether the first element is a batch, so that a list is (x,) or (x, y) instead of a list of examples."""
    if not parts:
        return False
    rank = getattr(getattr(parts[0], "shape", None), "__len__", lambda: None)()
    return isinstance(parts[0], dict) or (event_shape is not None and rank == 1 + len(event_shape))


def standardized(data: Any, event_shape: tuple[int, ...] | None) -> Any:
    """Converts x to a form that Keras accepts: tables and sparse matrices become arrays.

    The elements of a data set of unknown shape get the event shape of the model. Entries of a dictionary that are not
    numeric, such as names, are removed, because Keras does not accept all of them and no step reads them.

    Raises:
        ValueError: If `plain` raises it.
        TypeError: If `plain` raises it.
    """
    if isinstance(data, tf.data.Dataset):
        return _with_event_shape(data, event_shape)
    if isinstance(data, dict) and not is_array_like(data):  # SciPy's dok_matrix is a dictionary too
        key = x_key(data)
        kept = {name: entry for name, entry in data.items() if _is_numeric(entry)}
        kept |= {name: plain(data[name], name) for name in (CONDITION, OBSERVED) if name in data}
        return {**kept, key: plain(data[key])}
    if isinstance(data, list | tuple) and any(is_array_like(part) or tf.is_tensor(part) for part in data):
        is_numbers = isinstance(data[0], list | tuple) and not hasattr(data[0], "_fields")
        return plain(data if is_numbers else single(data))
    return plain(data)


def _is_numeric(entry: Any) -> bool:
    if isinstance(entry, np.ndarray):
        return entry.dtype.kind in "biuf"
    return isinstance(entry, tf.Tensor) and entry.dtype != tf.string


def standardized_validation(data: Any, event_shape: tuple[int, ...] | None) -> Any:
    """Converts `validation_data`, which is x, (x, y) or (x, y, sample_weight), like `standardized`."""
    if isinstance(data, list) and data and not isinstance(data[0], list | tuple | float | int):
        data = tuple(data)
    if not isinstance(data, tuple) or not 1 <= len(data) <= 3:
        return standardized(data, event_shape)
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    x = standardized(x, event_shape)
    sample_weight = weights_of(x, sample_weight)
    return (x,) if len(data) == 1 else with_targets(x, y, sample_weight)[: 2 if sample_weight is None else 3]


def weights_of(x: Any, sample_weight: Any) -> Any:
    """Returns the weights `[N]` of examples x `[N, *event]`.

    Raises:
        ValueError: If there is not one finite weight per example.
    """
    if sample_weight is None:
        return None
    x = single(x) if isinstance(x, dict) else x
    return as_weights(sample_weight, len(x) if hasattr(x, "shape") and len(x.shape) else None)


def with_targets(x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Returns `(x, y, sample_weight)` with NaN for missing targets, without which Keras ignores the weights.

    NaN is an unknown label. A list of targets becomes an array.
    """
    if isinstance(y, list | tuple):
        y = plain(y, "y")
    if sample_weight is not None and y is None and (isinstance(x, dict) or hasattr(x, "shape")):
        first = next(iter(x.values())) if isinstance(x, dict) else x
        y = np.full(len(first), np.nan, "float32")
    return x, y, sample_weight


def _with_event_shape(dataset: tf.data.Dataset, event_shape: tuple[int, ...] | None) -> tf.data.Dataset:
    spec = unpack(dataset.element_spec).x
    if event_shape is None or not isinstance(spec, tf.TensorSpec):
        return dataset
    is_known = spec.shape.rank is not None and spec.shape[1:].is_fully_defined()
    if is_known or not spec.shape.is_compatible_with([None, *event_shape]):
        return dataset
    return dataset.map(
        lambda *batch: _replaced(
            batch if len(batch) > 1 else batch[0], lambda x: tf.ensure_shape(x, [None, *event_shape])
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def _replaced(batch: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Returns a batch of the same structure with another x."""
    if isinstance(batch, tuple | list):
        return type(batch)([_replaced(batch[0], change), *batch[1:]])
    if isinstance(batch, dict):
        key = x_key(batch)
        return {**batch, key: change(batch[key])}
    return change(batch)


@contextlib.contextmanager
def reporting_shapes(event_shape: tuple[int, ...] | None) -> Iterator[None]:
    """Replaces TensorFlow's errors about examples of different shapes by one ValueError."""
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
        found = next((match for match in (pattern.search(error.message) for pattern in _SHAPE_ERRORS) if match), None)
        if found is None:
            raise
        model = "" if event_shape is None else f" for examples of shape {event_shape}"
        raise ValueError(
            f"All examples must have the same shape. Expected {found['other']}{model}. Resize the examples before "
            ".batch(n), for example with dataset.map(lambda x: tf.image.resize(x, (height, width))), or remove the "
            f"others. Received: an example or a batch of shape {found['found']}"
        ) from None


def device_batches(x: Any, batch_size: int | None, shuffle: Any, dtype: str) -> DeviceBatches | None:
    """Returns the batches of an array, or of a data set of `Split.batches`. None if the examples are not in memory."""
    if isinstance(x, np.ndarray | tf.Tensor) and isinstance(shuffle, bool):
        examples = on_device(x, dtype) if isinstance(x, np.ndarray) else tf.cast(x, dtype)
        return DeviceBatches(ArrayExamples(examples, batch_size or 32, shuffle))
    stored = x.arrays if isinstance(x, Batches) and batch_size is None else None
    if stored is None:
        return None
    # The examples of a data set are in the memory of the host.
    return DeviceBatches(dataclasses.replace(stored, examples=stored.examples.map(tf.identity)))


def validation_batches(data: Any) -> StackedBatches | None:
    """Returns the batches of a data set of `Split.batches` without noise, which are the same in each pass, if small."""
    if not isinstance(data, Batches) or data.arrays.keys is not None or not data.arrays.num_batches:
        return None
    if not fits_in_memory(len(data.arrays.examples.raw), data.element_spec):
        return None
    return StackedBatches(data)


def first_batch(data: Any) -> Examples | None:
    """Returns the first batch of a data set, or a whole array. None if reading a batch would consume data."""
    if isinstance(data, list) and len(data):
        return first_batch(data[0])
    if not reading.is_readable(data):
        return None
    if isinstance(data, tf.data.Dataset):
        _check_spec(data)
    found = next(reading.batches(data, None, "x"), None)
    if found is None:
        raise ValueError("There are no examples to train on. Pass at least one. Received: an empty data set")
    return found


def preview(batch: Any) -> Any:
    """Returns the first examples of a batch, which callbacks draw. None is returned unchanged."""
    return None if batch is None else batch[:_PREVIEW_SIZE]


def _check_spec(dataset: tf.data.Dataset) -> None:
    # The check precedes the first element, because a shuffle buffer can take long to fill.
    spec = unpack(dataset.element_spec).x
    if not isinstance(spec, tf.TensorSpec) or not spec.dtype.is_floating:
        check_static(spec, None)
