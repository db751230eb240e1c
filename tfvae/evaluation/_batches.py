"""Evaluations take what `fit` takes: an array, a split or a data set, also with labels; each gives batches of x."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae.data import ShardedSplit, Split
from tfvae.models import VAE, _inputs
from tfvae.models.batch import as_batch
from tfvae.typing import Tensor


def batches_of_x(vae: VAE, data: Any, batch_size: int) -> Iterator[Tensor]:
    """Batches of x `[B, *event]` in the model's precision, in order, each checked as `fit` does.

    Raises:
        TypeError: for what is no data.
        ValueError: when there are no examples, or data that `fit` would refuse.
    """
    batch_size = whole_number(batch_size, "batch_size")
    found = False
    batches = _raw_batches(data, batch_size)
    while True:
        with _inputs.naming_shapes(vae.event_shape):
            x = next(batches, None)
        if x is None:
            break
        vae.check_data(x)
        found = True
        yield tf.cast(x, vae.variable_dtype)
    if not found:
        raise ValueError("There are no examples to evaluate on.")


def first_batch_of_x(vae: VAE, data: Any, batch_size: int) -> Tensor:
    """The first of these batches; of an array, all of it."""
    if isinstance(data, tuple | dict):
        return first_batch_of_x(vae, as_batch(data).x, batch_size)
    if not isinstance(data, Split | ShardedSplit | tf.data.Dataset | keras.utils.PyDataset):
        batch_size = max(len(_as_array(data)), 1)
    return next(batches_of_x(vae, data, batch_size))


def _raw_batches(data: Any, batch_size: int) -> Iterator[Any]:
    if isinstance(data, ShardedSplit):
        data = data.batches(batch_size)
    if isinstance(data, tf.data.Dataset):
        if data.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError("This data set repeats for ever. Evaluate on a part of it: data.take(number of batches).")
        for batch in data:
            yield as_batch(batch).x
    elif isinstance(data, keras.utils.PyDataset):
        for i in range(data.num_batches):
            yield _inputs.plain(as_batch(data[i]).x)
    elif isinstance(data, tuple | dict):  # with labels
        yield from _raw_batches(as_batch(data).x, batch_size)
    else:
        x = data.x if isinstance(data, Split) else _as_array(data)
        for start in range(0, x.shape[0], batch_size):
            yield x[start : start + batch_size]


def _as_array(data: Any) -> Any:
    array = _inputs.plain(data)
    if not (tf.is_tensor(array) or (isinstance(array, np.ndarray) and array.ndim)):
        raise TypeError(
            "Data to evaluate on are an array [N, *event], a tfvae.data.Split, a tf.data.Dataset of batches, or one of "
            f"these with labels: (x, y), {{'image': x}}. Received: {str(data)[:80]} (of type {type(data).__name__}). "
            "A generator becomes a data set with tf.data.Dataset.from_generator."
        )
    return array
