"""Batches of examples in memory: each takes one slice or gather, one scaling and one draw of noise."""

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.data import noise
from tfvae.data.batches import Batches
from tfvae.data.finishing import Finish, Stored, finish
from tfvae.data.in_memory import InMemoryBatches
from tfvae.data.orders import Order
from tfvae.data.passes import pass_keys
from tfvae.data.requirements import Draw, count_batches
from tfvae.data.sparse_gather import SparseExamples
from tfvae.typing import Tensor

# Python control flow in these functions is about Python values, and the conversion of AutoGraph takes long.
do_not_convert = tf.autograph.experimental.do_not_convert


def make_batches(
    stored: Stored,
    num_levels: int | None,
    batch_size: int,
    *,
    order: Order | None,
    seed: int,
    draw: Draw | None,
    drop_remainder: bool,
) -> tf.data.Dataset:
    """Makes the dataset behind `Split.batches`.

    Args:
        stored: The examples, in host memory.
        num_levels: Their number of levels; None for floats.
        batch_size: B, at most N.
        order: The order of each pass. None keeps that of the examples.
        seed: The seed of the order and the noise.
        draw: The noise that every pass draws.
        drop_remainder: Whether to leave out a smaller last batch.
    """
    num_rows = len(stored.raw) if order is None else order.num_rows
    num_batches = count_batches(num_rows, batch_size, drop_remainder)
    static_size = batch_size if drop_remainder else None

    @do_not_convert
    def fetch(key: Tensor, index: Tensor, row: Tensor | None = None) -> Any:
        start = index * batch_size

        def pick(tensor: Any) -> Tensor:
            if isinstance(tensor, SparseExamples):
                all_rows = tf.range(start, tf.minimum(start + batch_size, num_rows)) if row is None else row
                found = tensor.take(all_rows[: num_rows - start])
            elif row is None:
                found = tensor[start : start + batch_size]
            else:
                found = tf.gather(tensor, row[: num_rows - start])
            return tf.ensure_shape(found, [static_size, *tensor.shape[1:]])

        batch = stored.map(pick)
        x = finish(batch.raw, num_levels, draw, lambda: tf.random.experimental.stateless_fold_in(key, index))
        return batch.element(tf.ensure_shape(x, batch.raw.shape))

    seed = noise.checked_seed(seed)
    keys = pass_keys(seed) if order is not None or draw is not None else None
    if keys is not None:
        one_pass = functools.partial(_one_pass, order, batch_size, num_batches)
        plan = keys.flat_map(do_not_convert(one_pass))
        plan = plan.apply(tf.data.experimental.assert_cardinality(num_batches))
    else:
        plan = tf.data.Dataset.range(num_batches).map(do_not_convert(lambda index: (tf.zeros([2], tf.int64), index)))
    dataset = plan.map(fetch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)
    if isinstance(stored.raw, SparseExamples):
        return dataset.with_options(_without_rewriting())
    return Batches(dataset, InMemoryBatches(stored, batch_size, num_batches, Finish(num_levels, draw), order, keys))


def _without_rewriting() -> tf.data.Options:
    """Returns options of datasets whose graph stays as it is. Rewriting it copies all tensors that functions capture.

    It does nothing for these datasets, and the copy is as large as the data.
    """
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    return options


def _one_pass(order: Order | None, batch_size: int, num_batches: int, key: Tensor) -> tf.data.Dataset:
    """What each batch of a pass is made from: the key of the pass, the batch number and, shuffled, a row of examples.

    Plain elements and one map over them: datasets that call functions inside `flat_map` take twice as long to start.
    """
    parts = [tf.data.Dataset.from_tensors(key).repeat(num_batches), tf.data.Dataset.range(num_batches)]
    if order is not None:
        padding = max(0, num_batches * batch_size - order.num_rows)
        rows = tf.pad(order(key), [[0, padding]])[: num_batches * batch_size]
        parts.append(tf.data.Dataset.from_tensor_slices(tf.reshape(rows, [num_batches, batch_size])))
    return tf.data.Dataset.zip(*parts)


def on_host(array: np.ndarray) -> Tensor:
    """Returns the array as a tensor in host memory, where `tf.data` works, also on a machine with an accelerator."""
    return tf.data.Dataset.from_tensors(array).get_single_element()
