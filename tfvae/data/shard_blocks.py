"""Blocks of records of the shards of one split: the unit of reading and of fixed draws.

A fixed draw depends on where a record stands in its shard and on nothing else.
"""

import dataclasses
import os
from collections.abc import Collection, Iterator
from pathlib import Path

import tensorflow as tf

from tfvae.data.block import Block
from tfvae.data.finishing import finish
from tfvae.data.fixed_draw import FixedDraw
from tfvae.data.passes import signed_seed
from tfvae.data.shard_header import Field, ShardHeader
from tfvae.typing import Tensor

# Python control flow in these functions is about Python values, and the conversion of AutoGraph takes long.
do_not_convert = tf.autograph.experimental.do_not_convert
_BLOCK_BYTES = 2**16


@dataclasses.dataclass(frozen=True)
class ShardBlocks:
    """The stored examples of one split, block by block.

    Attributes:
        files: The shards, in order.
        num_examples: The number of examples in each of them.
        header: Their header.
        fixed: The fixed draws to apply, in order.
    """

    files: tuple[Path, ...]
    num_examples: tuple[int, ...]
    header: ShardHeader
    fixed: tuple[FixedDraw, ...]

    @property
    def num_levels(self) -> int | None:
        """The number of levels after the fixed draws."""
        return self.fixed[-1].num_levels if self.fixed else self.header.num_levels

    @property
    def size(self) -> int:
        """The number of records in a block."""
        return max(1, _BLOCK_BYTES // self.header.record_size)

    def of_file(self, file: Tensor, *, parts: Collection[str]) -> tf.data.Dataset:
        """The blocks of one file, by its number: a dictionary of the parts of a `Block` that are wanted.

        Args:
            file: The number of the file.
            parts: Names of the parts besides x, of which those that records have are there.
        """
        header = self.header
        fields = {name: field for name, field in header.fields.items() if name == "x" or name in parts}
        path = tf.gather(tf.constant([os.fspath(path) for path in self.files]), file)

        @do_not_convert
        def parse(block: Tensor, records: Tensor) -> dict[str, Tensor]:
            stored = tf.io.decode_raw(records, tf.uint8)
            found = {name: _decoded(stored, field) for name, field in fields.items()}
            raw, num_levels = found["x"], header.num_levels
            if num_levels is not None:
                raw = tf.cast(raw, tf.uint8)
            for position, draw in enumerate(self.fixed):
                seed_of_file = file + position * len(self.files)
                raw, num_levels = _apply(draw, raw, num_levels, seed_of_file, block), draw.num_levels
            found["x"] = raw
            if "observed" in found:
                found["observed"] = tf.cast(found["observed"], tf.bool)
            return found

        return tf.data.TFRecordDataset(path).batch(self.size).enumerate().map(parse)

    def read(self) -> Iterator[Block]:
        """Yields all blocks in order, as a `Split` would store them."""
        num_blocks = sum(-(-num_examples // self.size) for num_examples in self.num_examples)
        files = tf.data.Dataset.range(len(self.files))
        dataset = files.flat_map(do_not_convert(lambda file: self.of_file(file, parts=Block._fields)))
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(num_blocks)).prefetch(2)
        return (Block(**parts) for parts in dataset.as_numpy_iterator())


def _decoded(stored: Tensor, field: Field) -> Tensor:
    """Returns one part `[n, *shape]` of records that are bytes `[n, record size]`."""
    dtype = tf.as_dtype(field.dtype)
    found = stored[:, field.offset : field.offset + field.num_bytes]
    if dtype.size > 1:
        found = tf.bitcast(tf.reshape(found, [-1, field.num_bytes // dtype.size, dtype.size]), dtype)
    return tf.reshape(found, [-1, *field.shape])


def count_records(path: str | os.PathLike[str]) -> int:
    """Reads a file to its end, checksums included; TensorFlow's errors say that it is damaged."""
    records = tf.data.TFRecordDataset(os.fspath(path)).batch(64)
    return int(records.reduce(tf.constant(0), lambda count, batch: count + tf.shape(batch)[0]))


def _apply(draw: FixedDraw, raw: Tensor, num_levels: int | None, file: Tensor, block: Tensor) -> Tensor:
    """The values of one block of a file after a fixed draw, in the form in which a `Split` stores them."""
    if draw.kind == "threshold":
        return tf.cast(finish(raw, num_levels, None, lambda: None) > draw.number, tf.uint8)
    seed = tf.stack([tf.constant(signed_seed(int(draw.number)), tf.int64), file])
    x = finish(raw, num_levels, draw.kind, lambda: tf.random.experimental.stateless_fold_in(seed, block))
    return x if draw.kind == "dequantize" else tf.cast(x, tf.uint8)
