"""What comes into a model: finding x in it, and giving it a form that Keras and the compiled steps take."""

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._arrays import is_array_like, plain_array
from tfvae.data import ShardedSplit, Split, Splits, reading
from tfvae.data.batches import Batches
from tfvae.data.examples import single, unpack, x_key
from tfvae.execution.device_batches import ArrayExamples, DeviceBatches
from tfvae.models._checks import check_static
from tfvae.models._weights import as_weights
from tfvae.typing import Tensor

_PREVIEW_SIZE = 1024

# What TensorFlow says of examples of several shapes.
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
    """A tensor unchanged; an array, a table or a list as a NumPy array of numbers.

    Raises:
        ValueError: for masked or missing values, columns without numbers, and rows of several lengths.
        TypeError: for a split, which has batches.
    """
    if isinstance(x, Split | ShardedSplit | Splits):
        batches = "x.train.batches(100)" if isinstance(x, Splits) else "x.batches(100)"
        raise TypeError(f"{name} is a tfvae.data.{type(x).__name__}. Give its batches, such as {batches}.")
    if isinstance(x, tf.SparseTensor | tf.RaggedTensor):
        check_static(x, None)
    if isinstance(x, tf.Variable | keras.Variable):
        return tf.convert_to_tensor(x)
    if tf.is_tensor(x) or isinstance(x, keras.KerasTensor) or not is_array_like(x):
        return x
    return plain_array(x, name)


def as_tensor(x: Any, event_shape: tuple[int, ...] | None) -> Tensor:
    """X of what a user asks the model about: an array `[B, *event]`, or what a data set's batch may be.

    Raises:
        ValueError: for data that are no array of floating-point numbers of the model's event shape.
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
    """Whether the first of several parts is a batch by itself, so that they are (x,) or (x, y) and not examples."""
    if not parts:
        return False
    rank = getattr(getattr(parts[0], "shape", None), "__len__", lambda: None)()
    return isinstance(parts[0], dict) or (event_shape is not None and rank == 1 + len(event_shape))


def standardized(data: Any, event_shape: tuple[int, ...] | None) -> Any:
    """What a user gives as x, in a form that Keras takes too: tables and sparse matrices as arrays.

    A data set whose elements do not say their shape gets the model's. Other entries of a dictionary that are no
    numbers, such as names, are left out: Keras does not take all of them, and no step reads them.

    Raises:
        ValueError: as `plain`.
        TypeError: as `plain`.
    """
    if isinstance(data, tf.data.Dataset):
        return _with_event_shape(data, event_shape)
    if isinstance(data, dict) and not is_array_like(data):  # as SciPy's matrices of keys are
        key = x_key(data)
        return {**{name: entry for name, entry in data.items() if _holds_numbers(entry)}, key: plain(data[key])}
    if isinstance(data, list | tuple) and any(is_array_like(part) or tf.is_tensor(part) for part in data):
        is_numbers = isinstance(data[0], list | tuple) and not hasattr(data[0], "_fields")
        return plain(data if is_numbers else single(data))
    return plain(data)


def _holds_numbers(entry: Any) -> bool:
    if isinstance(entry, np.ndarray):
        return entry.dtype.kind in "biuf"
    return isinstance(entry, tf.Tensor) and entry.dtype != tf.string


def standardized_validation(data: Any, event_shape: tuple[int, ...] | None) -> Any:
    """The same for `validation_data`: x, (x, y) or (x, y, sample_weight)."""
    if isinstance(data, list) and data and not isinstance(data[0], list | tuple | float | int):
        data = tuple(data)
    if not isinstance(data, tuple) or not 1 <= len(data) <= 3:
        return standardized(data, event_shape)
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    x = standardized(x, event_shape)
    sample_weight = weights_of(x, sample_weight)
    return (x,) if len(data) == 1 else with_targets(x, y, sample_weight)[: 2 if sample_weight is None else 3]


def weights_of(x: Any, sample_weight: Any) -> Any:
    """The weights `[N]` of examples x `[N, *event]`.

    Raises:
        ValueError: If they are not one finite number for each example.
    """
    if sample_weight is None:
        return None
    x = single(x) if isinstance(x, dict) else x
    return as_weights(sample_weight, len(x) if hasattr(x, "shape") and len(x.shape) else None)


def with_targets(x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """`(x, y, sample_weight)` with zeros for absent targets: without targets Keras drops the weights silently.

    Targets in a list become an array; no step reads them.
    """
    if isinstance(y, list | tuple):
        y = plain(y, "y")
    if sample_weight is not None and y is None and (isinstance(x, dict) or hasattr(x, "shape")):
        first = next(iter(x.values())) if isinstance(x, dict) else x
        y = np.zeros(len(first), "float32")
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
    """A batch of the same structure with another x."""
    if isinstance(batch, tuple | list):
        return type(batch)([_replaced(batch[0], change), *batch[1:]])
    if isinstance(batch, dict):
        key = x_key(batch)
        return {**batch, key: change(batch[key])}
    return change(batch)


@contextlib.contextmanager
def naming_shapes(event_shape: tuple[int, ...] | None) -> Iterator[None]:
    """Raises one ValueError in place of TensorFlow's message about examples of several shapes."""
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
        found = next((match for match in (pattern.search(error.message) for pattern in _SHAPE_ERRORS) if match), None)
        if found is None:
            raise
        model = "" if event_shape is None else f", for examples of shape {event_shape}"
        raise ValueError(
            f"The data have a shape {found['found']} where {found['other']} was expected{model}. Give all examples one "
            "shape before .batch(n), such as dataset.map(lambda x: tf.image.resize(x, (height, width))), or leave out "
            "the others."
        ) from None


def device_batches(x: Any, batch_size: int | None, shuffle: Any, dtype: str) -> DeviceBatches | None:
    """The batches of examples that fit in memory: of an array, or of a data set that `Split.batches` made."""
    if isinstance(x, np.ndarray | tf.Tensor) and isinstance(shuffle, bool):
        return DeviceBatches(ArrayExamples(tf.cast(tf.convert_to_tensor(x), dtype), batch_size or 32, shuffle))
    examples = x.arrays if isinstance(x, Batches) and batch_size is None else None
    if examples is None:
        return None
    # The data set's are in the host's memory.
    return DeviceBatches(dataclasses.replace(examples, examples=tf.identity(examples.examples)))


def first_batch(data: Any) -> tuple[Any, Any]:
    """`(x, sample_weight)` of a data set's first batch, an array whole, or None where looking would consume data."""
    if isinstance(data, list) and len(data):
        return first_batch(data[0])
    if not reading.is_readable(data):
        return None, None
    if isinstance(data, tf.data.Dataset):
        _check_spec(data)
    found = next(reading.batches(data, None, "x"), None)
    if found is None:
        raise ValueError("There are no examples to train on: the data set is empty.")
    return found.x, found.sample_weight


def preview(batch: Any) -> Any:
    """The first examples of a batch, for a monitor to draw; None stays None."""
    return None if batch is None else batch[:_PREVIEW_SIZE]


def _check_spec(dataset: tf.data.Dataset) -> None:
    # Before any element is made: a shuffle buffer can take long to fill.
    spec = unpack(dataset.element_spec).x
    if not isinstance(spec, tf.TensorSpec) or not spec.dtype.is_floating:
        check_static(spec, None)
