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
    """Examples of one split that stay on disk; `load` makes it of a folder of shards.

    It does what a `Split` does, but for the arrays `raw` and `x`: `take(n)` gives the first n examples as a `Split`.

    Args:
        folder: of the shards.
        header: their header, as read from the folder.
        split: "train", "validation" or "test".
        fixed: the fixed draws that were asked for, in order.
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
        """What messages call it, such as "mnist/train"."""
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
    def labels(self) -> np.ndarray | None:
        """The labels of all examples, int64 [N], read from the shards at each call; None where there are none."""
        return np.concatenate([y for _, y in self.read_blocks() if y is not None]) if self.has_labels else None

    def take(self, n: int) -> Split:
        """The first n examples, or all of them where there are fewer, in memory.

        Raises:
            ValueError: for n < 1.
            DataError: for a damaged shard.
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
            DataError: for a damaged shard.
        """
        with naming_damage(self):
            for block in self._blocks.read():
                yield block if self.has_labels else (block, None)

    @property
    def _blocks(self) -> "ShardBlocks":
        from tfvae.data.shard_blocks import ShardBlocks

        return ShardBlocks(self.files, self.header.num_examples[self.split], self.header, self.fixed)

    def check(self) -> None:
        """Reads every record of every shard; their checksums tell what the sizes, which `load` looks at, do not.

        Raises:
            DataError: naming the first shard that is missing or damaged.
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
                    f"The shard {path} is missing or damaged: {problem}. Copy it again, or write the shards anew."
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
        drop_remainder: bool = False,
        shuffle_buffer: int | None = None,
    ) -> "tf.data.Dataset":
        """As `Split.batches`, read from disk: memory does not depend on how many examples there are.

        A shuffled pass takes the files in an order of its own, sixteen at a time, and permutes what comes from them
        in windows. The examples of `write_shards` are in random order already, those of a stream within each file.

        Args:
            batch_size: examples in a batch, at least 1.
            shuffle: a fresh order at each pass.
            seed: for the order and the noise.
            binarize: "dynamic", "static" or None.
            dequantize: adds fresh uniform noise at each pass.
            labels: yields (x, y) with y int64 instead of x.
            drop_remainder: leaves out a smaller last batch.
            shuffle_buffer: examples in a window; None is as many as fill 4 MB. About three windows are in memory.

        Returns:
            A dataset of float32 [B, *event], or of pairs, with all event axes static and its cardinality known.

        Raises:
            ValueError: for a batch size, or a combination of arguments, that cannot work.
            DataError: for data that do not allow what was asked.
        """
        from tfvae.data.shard_batches import make_sharded_batches

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
def naming_damage(*splits: Split | ShardedSplit) -> Iterator[None]:
    """Around what reads batches of `splits`: where TensorFlow cannot go on reading, a DataError names the shard.

    TensorFlow's own error tells a place in a file, but not in which.
    """
    import tensorflow as tf

    try:
        yield
    except (tf.errors.DataLossError, tf.errors.NotFoundError, tf.errors.FailedPreconditionError):
        for split in splits:
            if isinstance(split, ShardedSplit):
                split.check()
        raise
