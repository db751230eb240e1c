"""Examples of real data, to calibrate an exported model and to measure it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.data import ShardedSplit, Split
from tfvae.models import VAE, _inputs
from tfvae.models.batch import as_batch

# The most that are taken, and the most numbers in them.
_MOST = 2000
_MOST_NUMBERS = 2**22


def real_examples(vae: VAE, data: Any, event_shape: tuple[int, ...], function: str) -> tuple[np.ndarray, np.ndarray]:
    """Examples to calibrate on and others to measure on, float32 `[n, *event]`, at most 1,000 of each.

    They are spread evenly over an array or a split, which may be in an order; of a data set on disk or in a pipeline
    they are the first ones.

    Args:
        vae: the model that they are for.
        data: an array `[N, *event]`, a split of `tfvae.data`, or a data set whose batches hold x.
        event_shape: the shape of one x.
        function: the caller, such as "export.save_litert".

    Raises:
        TypeError: for what is none of these.
        ValueError: for None, for no examples, and for data that the model does not take.
    """
    if data is None:
        raise ValueError(
            f"{function} needs real data: what it writes is compared with the model on them, and int8 takes the ranges "
            "of its numbers from them. Give some hundred examples as `data`, such as splits.train."
        )
    most = max(2, min(_MOST, _MOST_NUMBERS // int(np.prod(event_shape, dtype=np.int64))))
    x = _taken(data, most, event_shape)
    vae.check_data(x)
    x = x.astype("float32")
    return (x[::2], x[1::2]) if len(x) > 1 else (x, x)


def _taken(data: Any, most: int, event_shape: tuple[int, ...]) -> np.ndarray:
    if isinstance(data, ShardedSplit):
        data = data.take(min(most, len(data)))
    if isinstance(data, tf.data.Dataset):
        batches = list(_first(data, most))
        return np.concatenate(batches)[:most] if batches else np.zeros([0, *event_shape], "float32")
    if isinstance(data, Split):
        rows = _spread(len(data), most)
        return Split(data.raw[rows], num_levels=data.num_levels, name=data.name).x
    if isinstance(data, tuple | dict):
        data = as_batch(data).x
    x = np.asarray(_inputs.plain(data, "data"))
    if x.dtype.kind not in "fiub" or not x.ndim:
        raise TypeError(
            "data is an array [N, *event], a split such as splits.train, or a tf.data.Dataset of batches. Received: "
            f"{str(data)[:80]} (of type {type(data).__name__})."
        )
    return x[_spread(len(x), most)]


def _spread(count: int, most: int) -> np.ndarray:
    """So many positions below `count`, evenly."""
    return np.linspace(0, count - 1, min(most, count)).round().astype(int)


def _first(dataset: tf.data.Dataset, most: int) -> Iterator[np.ndarray]:
    found = 0
    for batch in dataset:
        x = np.asarray(as_batch(batch).x)
        yield x
        found += len(x)
        if found >= most:
            return
