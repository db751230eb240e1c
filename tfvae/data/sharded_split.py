"""One split of a data set larger than memory: read from shards, batch by batch."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from tfvae._checks import whole_number
from tfvae.data.errors import DataError
from tfvae.data.fixed_draw import FixedDraw
from tfvae.data.requirements import checked_batch_size, choose_draw
from tfvae.data.shard_header import ShardHeader
from tfvae.data.split import Split
from tfvae.data.split_like import SplitLike

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
    """

    folder: Path
    header: ShardHeader
    split: str
    fixed: tuple[FixedDraw, ...] = ()

    def __len__(self) -> int:
        return sum(self.header.num_examples[self.split])

    def __repr__(self) -> str:
        values = "float32 values" if self.num_levels is None else f"{self.num_levels} levels"
        labels = "labels" if self.has_labels else "no labels"
        return (
            f"ShardedSplit({self.name!r}: {len(self)} examples of shape {self.event_shape} in {len(self.files)} "
            f"files, {values}, {labels})"
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
        """None: shards do not store the names of classes."""
        return None

    @property
    def labels(self) -> np.ndarray | None:
        """The labels of all examples, int64 [N], read from the shards at each call; None where there are none."""
        return np.concatenate([y for _, y in self.read_blocks() if y is not None]) if self.has_labels else None

    def take(self, n: int) -> Split:
        """Reads the first n examples into memory, or all of them where there are fewer.

        Raises:
            ValueError: If n < 1.
            DataError: If a shard is damaged.
        """
        n = min(whole_number(n, "n"), len(self))
        raw = np.empty((n, *self.event_shape), np.float32 if self.num_levels is None else np.uint8)
        labels = np.empty(n, np.int64) if self.has_labels else None
        start = 0
        for x, y in self.read_blocks():
            rows = slice(start, min(start + len(x), n))
            raw[rows] = x[: n - start]
            if labels is not None and y is not None:
                labels[rows] = y[: n - start]
            start = rows.stop
            if start == n:
                break
        name = self.name if n == len(self) else f"{self.name}[:{n}]"
        return Split(raw, labels, self.num_levels, name, self.channel_added)

    def read_blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yields all examples in order, a few at a time: values as a `Split` stores them, and labels or None.

        Raises:
            DataError: If a shard is damaged.
        """
        with reporting_damaged_shards(self):
            for block in self._blocks.read():
                yield block if self.has_labels else (block, None)

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
            A dataset of float32 [B, *event], or of pairs, with static event axes and a known cardinality.

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
            labels=labels,
            drop_remainder=drop_remainder,
            shuffle_buffer=None if shuffle_buffer is None else whole_number(shuffle_buffer, "shuffle_buffer"),
        )


@contextlib.contextmanager
def reporting_damaged_shards(*splits: Split | ShardedSplit) -> Iterator[None]:
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
