"""`tf.data` batches of shards: blocks of records, permuted in windows, never more in memory than a window.

A pass is a function of one key, as in `batches`: the order of the files, the windows' permutations and the noise. A
block is the unit of reading and of fixed draws, so that a fixed draw depends on where a record stands and on nothing
else.
"""

import dataclasses
import functools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import tensorflow as tf

from tfvae.data.batches import checked_batch_size, finish, keys, signed_seed
from tfvae.data.noise import checked_seed
from tfvae.data.requirements import Draw
from tfvae.typing import Tensor

if TYPE_CHECKING:
    from tfvae.data.sharded_split import ShardedSplit

_BLOCK_BYTES = 2**16
_WINDOW_BYTES = 2**22
_PREFETCHED_BYTES = 2**24
_MOST_PREFETCHED = 100
_NUM_OPEN_FILES = 16


@dataclasses.dataclass(frozen=True)
class FixedDraw:
    """A change of the values that is the same in every pass.

    Attributes:
        kind: what is drawn, or "threshold", which leaves nothing to chance.
        number: the seed, or the threshold.
    """

    kind: Literal["bernoulli", "dequantize", "threshold"]
    number: float

    @property
    def num_levels(self) -> int | None:
        """Levels of the changed values."""
        return None if self.kind == "dequantize" else 2

    def apply(self, raw: Tensor, num_levels: int | None, file: Tensor, block: Tensor) -> Tensor:
        """The changed values of block number `block` of a file, in the form in which a `Split` holds them."""
        if self.kind == "threshold":
            return tf.cast(finish(raw, num_levels, None, lambda: None) > self.number, tf.uint8)
        seed = tf.stack([tf.constant(signed_seed(int(self.number)), tf.int64), file])
        x = finish(raw, num_levels, self.kind, lambda: tf.random.experimental.stateless_fold_in(seed, block))
        return x if self.kind == "dequantize" else tf.cast(x, tf.uint8)


def make_sharded_batches(
    split: "ShardedSplit",
    batch_size: int,
    *,
    shuffle: bool,
    seed: int,
    draw: Draw | None,
    labels: bool,
    drop_remainder: bool,
    shuffle_buffer: int | None,
) -> tf.data.Dataset:
    """The dataset behind `ShardedSplit.batches`, whose docstring says what the arguments mean."""
    batch_size = checked_batch_size(batch_size, len(split), drop_remainder, split.name)
    num_batches = len(split) // batch_size if drop_remainder else -(-len(split) // batch_size)
    window = max(1, _WINDOW_BYTES // split.header.record_size) if shuffle_buffer is None else shuffle_buffer
    blocks = functools.partial(_blocks, split, labels)
    num_files = len(split.files)
    num_levels = split.num_levels

    def one_pass(key: Tensor) -> tf.data.Dataset:
        if shuffle:
            order = tf.random.experimental.stateless_shuffle(tf.range(num_files, dtype=tf.int64), key)
            stream = tf.data.Dataset.from_tensor_slices(order).interleave(
                blocks,
                cycle_length=min(_NUM_OPEN_FILES, num_files),
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            stream = stream.rebatch(min(window, len(split))).enumerate().map(functools.partial(_permuted, key))
        else:
            stream = tf.data.Dataset.range(num_files).flat_map(blocks)
        stream = stream.rebatch(batch_size, drop_remainder=drop_remainder)
        return tf.data.Dataset.zip(
            tf.data.Dataset.from_tensors(key).repeat(num_batches), tf.data.Dataset.range(num_batches), stream
        )

    def fetch(key: Tensor, index: Tensor, batch: Any) -> Any:
        raw, y = batch if labels else (batch, None)
        x = finish(raw, num_levels, draw, lambda: tf.random.experimental.stateless_fold_in(key, index))
        return (x, y) if labels else x

    seed = checked_seed(seed)
    random = shuffle or draw is not None
    passes = keys(seed) if random else tf.data.Dataset.from_tensors(tf.zeros([2], tf.int64))
    plan = passes.flat_map(one_pass).apply(tf.data.experimental.assert_cardinality(num_batches))
    batch_bytes = 4 * split.header.num_values * min(batch_size, len(split))
    prefetched = min(_MOST_PREFETCHED, max(2, _PREFETCHED_BYTES // batch_bytes))
    return plan.map(fetch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(prefetched)


def read_blocks(split: "ShardedSplit") -> Iterator[Any]:
    """Blocks as a `Split` would hold them, in order: arrays `[n, *event]`, or pairs with labels `[n]`."""
    blocks = functools.partial(_blocks, split, split.has_labels)
    size = _block_size(split)
    num_blocks = sum(-(-num_examples // size) for num_examples in split.header.num_examples[split.split])
    dataset = tf.data.Dataset.range(len(split.files)).flat_map(blocks)
    return dataset.apply(tf.data.experimental.assert_cardinality(num_blocks)).prefetch(2).as_numpy_iterator()


def count_records(path: str | os.PathLike[str]) -> int:
    """Reads a file to its end, checksums included; TensorFlow's errors say that it is damaged."""
    records = tf.data.TFRecordDataset(os.fspath(path)).batch(64)
    return int(records.reduce(tf.constant(0), lambda count, batch: count + tf.shape(batch)[0]))


def _blocks(split: "ShardedSplit", labels: bool, file: Tensor) -> tf.data.Dataset:
    """The blocks of one file: raw values `[n, *event]`, with labels `[n]` where they are wanted."""
    header = split.header
    path = tf.gather(tf.constant([os.fspath(path) for path in split.files]), file)

    def parse(block: Tensor, records: Tensor) -> Any:
        stored = tf.io.decode_raw(records, tf.as_dtype(header.dtype))
        raw, num_levels = stored[:, : header.num_values] if header.has_labels else stored, header.num_levels
        if num_levels is not None:
            raw = tf.cast(raw, tf.uint8)
        raw = tf.reshape(raw, [-1, *header.event_shape])
        for position, fixed in enumerate(split.fixed):
            seed_of_file = file + position * len(split.files)
            raw, num_levels = fixed.apply(raw, num_levels, seed_of_file, block), fixed.num_levels
        return (raw, tf.bitcast(stored[:, header.num_values :], tf.int64)) if labels else raw

    return tf.data.TFRecordDataset(path).batch(_block_size(split)).enumerate().map(parse)


def _block_size(split: "ShardedSplit") -> int:
    return max(1, _BLOCK_BYTES // split.header.record_size)


def _permuted(key: Tensor, number: Tensor, window: Any) -> Any:
    leaves = tf.nest.flatten(window)
    seed = tf.random.experimental.stateless_fold_in(key, number)
    order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(leaves[0])[0]), seed)
    return tf.nest.map_structure(lambda leaf: tf.gather(leaf, order), window)
