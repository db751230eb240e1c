"""What comes into `fit`: finding x in a batch, and refusing data that a likelihood is not meant for."""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae.data.in_memory import in_memory
from tfvae.layers import DistributionLayer
from tfvae.models._rows import ArrayExamples, Rows

_PREVIEW_SIZE = 1024
_X_KEYS = ("image", "images", "x")


def unpack(data: Any) -> tuple[Any, Any]:
    """`(x, sample_weight)` of a batch: x, (x, y), (x, y, sample_weight), or x as a dictionary with an image entry.

    Raises:
        ValueError: for a dictionary without one.
    """
    x, _, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if isinstance(x, list | tuple):
        if len(x) != 1:
            raise ValueError(f"A VAE has one input x. Received a {type(x).__name__} of {len(x)}.")
        (x,) = x
    if isinstance(x, dict):
        key = next((key for key in _X_KEYS if key in x), next(iter(x)) if len(x) == 1 else None)
        if key is None:
            raise ValueError(
                f"A batch that is a dictionary needs its data under one of the keys {_X_KEYS}. Received: {sorted(x)}."
            )
        x = x[key]
    return x, sample_weight


def with_targets(x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """`(x, y, sample_weight)` with zeros for absent targets: without targets Keras drops the weights silently."""
    if sample_weight is not None and y is None and not isinstance(x, tf.data.Dataset):
        first = next(iter(x.values())) if isinstance(x, dict) else x
        y = np.zeros(len(first), "float32")
    return x, y, sample_weight


def check_static(x: Any, event_shape: tuple[int, ...] | None) -> None:
    """Refuses what dtype and shape show, without looking at values: free inside a compiled step.

    Raises:
        ValueError: for integer data, or an event shape unlike the model's.
    """
    dtype = tf.as_dtype(x.dtype)
    if not dtype.is_floating:
        raise ValueError(
            f"x has dtype {dtype.name}; a VAE trains on floating-point data. Scale 8-bit images with "
            "x.astype('float32') / 255 (or dataset.map(lambda x: tf.cast(x, tf.float32) / 255)), 0/1 data with "
            "x.astype('float32'); splits.train.batches(...) of tfvae.data does it."
        )
    shape = tuple(x.shape)[1:]
    if event_shape is None:
        return
    fits = len(shape) == len(event_shape) and all(a in (None, b) for a, b in zip(shape, event_shape, strict=True))
    if not fits:
        missing_axis = tuple(event_shape) == (*shape, 1)
        raise ValueError(
            f"x has event shape {shape}, the decoder's distribution has {tuple(event_shape)}. "
            + (
                "Add the channel axis: x[..., None]."
                if missing_axis
                else "The first axis of x is the batch; a tf.data.Dataset makes it with .batch(n)."
            )
        )


def check_values(x: Any, likelihood: DistributionLayer | None) -> None:
    """Looks at the values of `x`, a whole array or one batch.

    Raises:
        ValueError: for no examples, for NaN or infinite values, or for values outside the likelihood's support.
    """
    x = np.asarray(x)
    if not x.size:
        raise ValueError(f"There are no examples to train on: x has shape {x.shape}.")
    finite = np.isfinite(x)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(
            f"x has {int((~finite).sum())} values that are NaN or infinite, the first at index {first}. "
            "Remove or fill them before training."
        )
    support = None if likelihood is None else likelihood.support
    if support is not None and (x.min() < support[0] or x.max() > support[1]):
        raise ValueError(
            f"{type(likelihood).__name__} takes x in [{support[0]:g}, {support[1]:g}], but x lies in "
            f"[{x.min():g}, {x.max():g}]. Scale it, e.g. 8-bit images with x / 255, or use a decoder for real values "
            "such as tfvae.layers.IndependentNormal."
        )


def rows(x: Any, batch_size: int | None, shuffle: Any, dtype: str) -> Rows | None:
    """The batches of examples that fit in memory: of an array, or of a data set that `Split.batches` made."""
    if isinstance(x, np.ndarray | tf.Tensor) and isinstance(shuffle, bool):
        return Rows(ArrayExamples(tf.cast(tf.convert_to_tensor(x), dtype), batch_size or 32, shuffle))
    examples = in_memory(x) if isinstance(x, tf.data.Dataset) and batch_size is None else None
    if examples is None:
        return None
    # The data set's are in the host's memory.
    return Rows(dataclasses.replace(examples, examples=tf.identity(examples.examples)))


def first_batch(data: Any) -> Any:
    """X of a data set's first batch, an array whole, or None where looking would consume the data."""
    if isinstance(data, list) and len(data):
        return first_batch(data[0])
    if isinstance(data, dict | tuple) and len(data):
        return first_batch(unpack(data)[0])
    if isinstance(data, keras.utils.PyDataset):
        return unpack(data[0])[0]
    if isinstance(data, tf.data.Dataset):
        _check_spec(data)
        for batch in data.take(1):
            return unpack(batch)[0]
        raise ValueError("There are no examples to train on: the data set is empty.")
    if tf.is_tensor(data):
        return data
    return np.asarray(data) if hasattr(data, "__array__") else None


def preview(batch: Any) -> Any:
    """The first examples of a batch, for a monitor to draw; None stays None."""
    return None if batch is None else batch[:_PREVIEW_SIZE]


def _check_spec(dataset: tf.data.Dataset) -> None:
    # Before any element is made: a shuffle buffer can take long to fill.
    spec = unpack(dataset.element_spec)[0]
    if isinstance(spec, tf.TensorSpec) and not spec.dtype.is_floating:
        check_static(spec, None)
