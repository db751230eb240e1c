"""One split of a data set larger than memory: read from shards, batch by batch."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from tfvae._checks import whole_number
from tfvae.data.block import Block
from tfvae.data.errors import DataError
from tfvae.data.fixed_draw import FixedDraw
from tfvae.data.requirements import checked_batch_size, choose_draw
from tfvae.data.shard_header import HEADER, ShardHeader
from tfvae.data.split import Split
from tfvae.data.split_like import SplitLike
from tfvae.tables.files import schema_from_dict
from tfvae.tables.schema import Schema

if TYPE_CHECKING:
    import tensorflow as tf

    from tfvae.data.shard_blocks import ShardBlocks


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ShardedSplit(SplitLike):
    """Examples of one split that stay on disk, in the shards of a folder; `load` makes it.

    It does what a `Split` does, without the arrays `raw` and `x`: `take(n)` returns the first n examples as a `Split`.

    Args:
        folder: The folder of the shards.
        header: The header of the folder.
        split: "train", "validation" or "test".
        fixed: The fixed draws to apply, in order.
        conditional: Whether to read the conditions, if there are any.
    """

    folder: Path
    header: ShardHeader
    split: str
    fixed: tuple[FixedDraw, ...] = ()
    conditional: bool = False

    def __len__(self) -> int:
        return sum(self.header.num_examples[self.split])

    def __repr__(self) -> str:
        values = "float32 values" if self.num_levels is None else f"{self.num_levels} levels"
        parts = "labels" if self.has_labels else "no labels"
        parts += "" if self.condition_shape is None else f", conditions of shape {self.condition_shape}"
        parts += ", missing values" if self.has_missing else ""
        return (
            f"ShardedSplit({self.name!r}: {len(self)} examples of shape {self.event_shape} in {len(self.files)} "
            f"files, {values}, {parts})"
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """The shards, in order."""
        return tuple(self.folder / name for name in self.header.files(self.split))

    @property
    def name(self) -> str:
        """The name that messages use, such as "mnist/train"."""
        return f"{self.header.name}/{self.split}"

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.header.event_shape

    @property
    def num_levels(self) -> int | None:
        """2 for binary data, 256 for 8-bit images, anything between for other scans; None for floats."""
        return self.fixed[-1].num_levels if self.fixed else self.header.num_levels

    @property
    def value_range(self) -> tuple[float, float]:
        """The smallest and the largest x; 0 and 1 for levels, whatever values occur."""
        return (0.0, 1.0) if self.fixed else self.header.value_range

    @property
    def channel_added(self) -> bool:
        """As in `Split`."""
        return self.header.channel_added

    @property
    def has_labels(self) -> bool:
        """Whether there is a label for each example."""
        return self.header.has_labels

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The name of each class of the labels, in the order of their numbers, or None."""
        return self.header.class_names

    @property
    def condition_shape(self) -> tuple[int, ...] | None:
        """The shape of one condition, or None."""
        return self.header.condition_shape if self.conditional else None

    @property
    def condition_names(self) -> tuple[str, ...] | None:
        """The name of each class, if conditions are one-hot vectors of classes, or None."""
        return self.header.condition_names if self.conditional else None

    @property
    def has_missing(self) -> bool:
        """Whether values may be missing."""
        return self.header.has_missing

    @functools.cached_property
    def schema(self) -> Schema | None:
        """What the columns are, for the rows of a table, or None."""
        stored = self.header.schema
        return None if stored is None else schema_from_dict(stored, self.folder / HEADER)

    @property
    def labels(self) -> np.ndarray | None:
        """The labels of all examples, int64 [N], read from the shards at each call; None where there are none."""
        return np.concatenate([block.labels for block in self.read_blocks()]) if self.has_labels else None

    def take(self, n: int) -> Split:
        """Reads the first n examples into memory, or all of them where there are fewer.

        Raises:
            ValueError: If n < 1.
            DataError: If a shard is damaged.
        """
        n = min(whole_number(n, "n"), len(self))
        found = self._empty(n)
        start = 0
        for block in self.read_blocks():
            rows = slice(start, min(start + len(block.x), n))
            for stored, part in zip(found, block, strict=True):
                if stored is not None and part is not None:
                    stored[rows] = part[: n - start]
            start = rows.stop
            if start == n:
                break
        return Split(
            found.x,
            found.labels,
            self.num_levels,
            self.name if n == len(self) else f"{self.name}[:{n}]",
            self.channel_added,
            condition=found.condition,
            observed=found.observed,
            class_names=self.class_names,
            condition_names=self.condition_names,
            schema=self.schema,
        )

    def _empty(self, n: int) -> Block:
        """Returns room for n examples."""
        condition_shape, shape = self.condition_shape, (n, *self.event_shape)
        return Block(
            np.empty(shape, np.float32 if self.num_levels is None else np.uint8),
            np.empty(n, np.int64) if self.has_labels else None,
            None if condition_shape is None else np.empty((n, *condition_shape), np.float32),
            np.empty(shape, bool) if self.has_missing else None,
        )

    def read_blocks(self) -> Iterator[Block]:
        """Yields all examples in order, a few at a time, as a `Split` stores them.

        Each block is a named tuple of `x`, `labels`, `condition` and `observed`, which are None where there are none.

        Raises:
            DataError: If a shard is damaged.
        """
        with reporting_damaged_shards(self):
            for block in self._blocks.read():
                yield block if self.conditional else block._replace(condition=None)

    @property
    def _blocks(self) -> "ShardBlocks":
        from tfvae.data.shard_blocks import ShardBlocks

        return ShardBlocks(self.files, self.header.num_examples[self.split], self.header, self.fixed)

    def check(self) -> None:
        """Reads every record of every shard and compares its checksum; `load` compares little more than sizes.

        Raises:
            DataError: If a shard is missing or damaged; the message names the first one.
        """
        import tensorflow as tf

        from tfvae.data.shard_blocks import count_records

        for path, num_examples in zip(self.files, self.header.num_examples[self.split], strict=True):
            try:
                count = count_records(path)
                problem = None if count == num_examples else f"it has {count} records of {num_examples}"
            except tf.errors.OpError as error:
                problem = error.message.split("}} ")[-1].split(" [Op")[0]
            if problem is not None:
                raise DataError(
                    f"The shard {path} is missing or damaged: {problem}. Copy it again, or write the shards again."
                )

    def _with_fixed(self, draw: FixedDraw) -> Self:
        return dataclasses.replace(self, fixed=(*self.fixed, draw))

    def batches(
        self,
        batch_size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        binarize: Literal["dynamic", "static"] | None = None,
        dequantize: bool = False,
        labels: bool = False,
        num_labelled: int | None = None,
        drop_remainder: bool = False,
        shuffle_buffer: int | None = None,
    ) -> "tf.data.Dataset":
        """Makes batches as `Split.batches` does, read from disk. Memory use does not grow with the number of examples.

        A shuffled pass reads sixteen files at a time, in its own order, and permutes their examples in windows.
        `write_shards` has stored the examples in random order already, those of a stream within each file.

        Args:
            batch_size: The number of examples in a batch, at least 1.
            shuffle: Whether each pass has its own order.
            seed: The seed of the order and the noise.
            binarize: "dynamic", "static" or None.
            dequantize: Whether to add uniform noise in every pass.
            labels: Whether to yield (x, y) with y int64 instead of x.
            num_labelled: None. Only a `Split` finds the labelled examples for each batch.
            drop_remainder: Whether to leave out a smaller last batch.
            shuffle_buffer: The number of examples in a window; None is as many as fill 4 MB. About three windows are in
                memory.

        Returns:
            A dataset of float32 [B, *event], or of pairs, with static event axes and a known cardinality. With
            conditions or missing values, x is a dictionary of `x`, `condition` and `observed`.

        Raises:
            ValueError: If the batch size or the combination of arguments is invalid.
            DataError: If the data do not allow what was asked.
        """
        from tfvae.data.shard_batches import make_sharded_batches

        if num_labelled is not None:
            raise ValueError(
                f"{self.name} is read from shards, whose batches cannot choose their labelled examples. Use "
                f"num_labelled=None, or a split in memory. Received: num_labelled={num_labelled!r}"
            )
        draw = choose_draw(self, binarize, dequantize, labels)
        batch_size = checked_batch_size(batch_size, len(self), drop_remainder, self.name)
        split = self.binarized(seed) if binarize == "static" else self
        return make_sharded_batches(
            split._blocks,
            batch_size,
            shuffle=shuffle,
            seed=seed,
            draw=draw,
            parts={"observed", *(["labels"] if labels else []), *(["condition"] if self.conditional else [])},
            drop_remainder=drop_remainder,
            shuffle_buffer=None if shuffle_buffer is None else whole_number(shuffle_buffer, "shuffle_buffer"),
        )


@contextlib.contextmanager
def reporting_damaged_shards(*splits: SplitLike) -> Iterator[None]:
    """Raises a DataError that names the shard where TensorFlow cannot read batches of `splits`.

    TensorFlow's own error gives a place in a file, but not the file.
    """
    import tensorflow as tf

    try:
        yield
    except (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.FailedPreconditionError):
        for split in splits:
            if isinstance(split, ShardedSplit):
                split.check()
        raise
