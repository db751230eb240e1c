"""`tf.data` batches of shards: blocks of records, permuted in windows, never more in memory than a window.

A pass is a function of one key, as in `passes`: the order of the files, the windows' permutations and the noise.
"""

import functools
from collections.abc import Collection
from typing import Any

import tensorflow as tf

from tfvae.data.finishing import Stored, finish
from tfvae.data.noise import checked_seed
from tfvae.data.passes import pass_keys
from tfvae.data.requirements import Draw, count_batches
from tfvae.data.shard_blocks import ShardBlocks
from tfvae.typing import Tensor

# Python control flow in these functions is about Python values, and the conversion of AutoGraph takes long.
do_not_convert = tf.autograph.experimental.do_not_convert
_WINDOW_BYTES = 2**22
_PREFETCHED_BYTES = 2**24
_MOST_PREFETCHED = 100
_NUM_OPEN_FILES = 16


def make_sharded_batches(
    source: ShardBlocks,
    batch_size: int,
    *,
    shuffle: bool,
    seed: int,
    draw: Draw | None,
    parts: Collection[str],
    drop_remainder: bool,
    shuffle_buffer: int | None,
) -> tf.data.Dataset:
    """Makes the dataset behind `ShardedSplit.batches`, whose docstring says what the arguments mean.

    `parts` are the names of the parts of a `Block` that are wanted besides x.
    """
    header, num_levels, num_files = source.header, source.num_levels, len(source.files)
    num_examples = sum(source.num_examples)
    num_batches = count_batches(num_examples, batch_size, drop_remainder)
    window = max(1, _WINDOW_BYTES // header.record_size) if shuffle_buffer is None else shuffle_buffer
    blocks = do_not_convert(functools.partial(source.of_file, parts=parts))

    @do_not_convert
    def one_pass(key: Tensor) -> tf.data.Dataset:
        if shuffle:
            order = tf.random.experimental.stateless_shuffle(tf.range(num_files, dtype=tf.int64), key)
            stream = tf.data.Dataset.from_tensor_slices(order).interleave(
                blocks,
                cycle_length=min(_NUM_OPEN_FILES, num_files),
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            stream = (
                stream.rebatch(min(window, num_examples))
                .enumerate()
                .map(do_not_convert(functools.partial(_permuted, key)))
            )
        else:
            stream = tf.data.Dataset.range(num_files).flat_map(blocks)
        stream = stream.rebatch(batch_size, drop_remainder=drop_remainder)
        return tf.data.Dataset.zip(
            tf.data.Dataset.from_tensors(key).repeat(num_batches), tf.data.Dataset.range(num_batches), stream
        )

    @do_not_convert
    def fetch(key: Tensor, index: Tensor, batch: Any) -> Any:
        stored = Stored(batch["x"], *map(batch.get, ("condition", "observed", "labels")))
        x = finish(stored.raw, num_levels, draw, lambda: tf.random.experimental.stateless_fold_in(key, index))
        return stored.element(x)

    seed = checked_seed(seed)
    random = shuffle or draw is not None
    keys = pass_keys(seed) if random else tf.data.Dataset.from_tensors(tf.zeros([2], tf.int64))
    plan = keys.flat_map(one_pass).apply(tf.data.experimental.assert_cardinality(num_batches))
    batch_bytes = 4 * header.num_values * min(batch_size, num_examples)
    prefetched = min(_MOST_PREFETCHED, max(2, _PREFETCHED_BYTES // batch_bytes))
    return plan.map(fetch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(prefetched)


def _permuted(key: Tensor, number: Tensor, window: Any) -> Any:
    leaves = tf.nest.flatten(window)
    seed = tf.random.experimental.stateless_fold_in(key, number)
    order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(leaves[0])[0]), seed)
    return tf.nest.map_structure(lambda leaf: tf.gather(leaf, order), window)
