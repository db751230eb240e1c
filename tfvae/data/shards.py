"""Writing data sets as shards: many `.tfrecord` files and a header, for data larger than memory."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfvae._checks import whole_number
from tfvae._targets import expanded, output_folder
from tfvae.data import noise
from tfvae.data.block import Block, joined
from tfvae.data.errors import DataError
from tfvae.data.shard_header import ShardHeader
from tfvae.data.shard_sources import Examples, ShardSource, make_sources
from tfvae.data.splits import Splits
from tfvae.tables.files import schema_to_dict

_SHARD_BYTES = 2**26
_RECORDS_AT_A_TIME = 1024


def write_shards(
    source: "Splits | Examples | Mapping[str, Examples]",
    folder: str | os.PathLike[str],
    *,
    shard_size: int | None = None,
    seed: int = 0,
    name: str | None = None,
    condition: str = "condition",
) -> Path:
    """Writes a data set as a folder of shards, which `load` and `tfvae train --data` read batch by batch.

    At most two shards are in memory at a time, however large the source is. Values are stored unchanged, one byte for
    levels and four for floats, with their labels, conditions and masks. The names of classes and the schema of a table
    are in the header. Training examples are written in random order: those of an array or a split anywhere
    among the shards, those of a stream within their shard. Validation and test examples keep their order.

    Args:
        source: `Splits`; or a mapping with "train" and optionally "validation" and "test"; or examples alone. Examples
            are a split; an array `[N, ...]`, also one on disk (`numpy.load(path, mmap_mode="r")`); or a
            `tf.data.Dataset` of batches of x or (x, y) with y the labels, and x perhaps a dictionary of `x`,
            `observed` and `condition`. Of one array alone, a tenth each, at most
            10,000 examples, becomes the validation and the test split; a split or a stream alone is the training split.
        folder: The folder to make; it must not exist, or be empty.
        shard_size: The number of examples in a file; None is as many as fill 64 MB.
        seed: The seed of the order of the training examples, and of the cuts.
        name: The name of the data set; None is that of the splits, or else the folder's.
        condition: The name of the conditions of the source, if it has any: `load(folder, condition=...)` reads them.

    Returns:
        The folder.

    Raises:
        DataError: If the folder is not empty, or if the contents cannot be used, as in `load`. No folder is left then.
        TypeError: If the source is of another kind.

    Example:
        >>> splits = tfvae.data.load("digits")
        >>> folder = tfvae.data.write_shards(splits, "digits_shards", shard_size=500)
        >>> tfvae.data.load(folder).train
        ShardedSplit('digits/train': 1437 examples of shape (8, 8, 1) in 3 files, 17 levels, labels)
    """
    folder = expanded(folder, kind=DataError)
    require_free(folder)
    seed = noise.checked_seed(seed)
    size = None if shard_size is None else whole_number(shard_size, "shard_size")
    name = name or (source.name if isinstance(source, Splits) else folder.name)
    sources = make_sources(source, name, seed)
    target = output_folder(folder)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        found = {}
        for split, examples in sources.items():
            order = np.random.default_rng(seed) if split == "train" else None
            found[split] = _write_split(partial, split, _in_shards(examples.pieces(order), size), order)
        header = _header(name, found, {examples.num_levels for examples in sources.values() if examples.num_levels})
        header = _described(header, sources, condition)
        for split in found:
            for i, file in enumerate(header.files(split)):
                (partial / _unfinished(split, i)).rename(partial / file)
        header.with_checksums(partial).write(partial)
        with contextlib.suppress(OSError):
            target.rmdir()  # an empty one
        try:
            partial.rename(target)
        except OSError:  # another process was quicker
            require_free(folder)
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def require_free(folder: Path) -> None:
    """Raises DataError for a path that exists already, and ValueError where no folder can be made."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise DataError(
            f"{folder} exists already. Choose another folder for the shards, or remove it. Nothing was changed."
        )
    output_folder(folder)


def _in_shards(pieces: Iterator[Block], size: int | None) -> Iterator[Block]:
    """Regroups examples into pieces of `size`; the last one may be smaller."""
    waiting: list[Block] = []
    count = 0
    for block in pieces:
        size = size or max(1, _SHARD_BYTES // block.x[0].nbytes)
        waiting.append(block)
        count += len(block.x)
        while count >= size:
            block = _joined(waiting)
            waiting = [block.rows(slice(size, None))]
            count -= size
            yield block.rows(slice(size))
    if count:
        yield _joined(waiting)


def _joined(blocks: list[Block]) -> Block:
    shapes = {block.x.shape[1:] for block in blocks}
    if len(shapes) > 1:
        raise DataError(f"Examples differ in shape. Expected one event shape; resize them. Received: {sorted(shapes)}")
    return joined(blocks)


@dataclasses.dataclass
class _Found:
    """A summary of what was written of one split."""

    kind: dict[str, Any] | None = None
    sizes: list[int] = dataclasses.field(default_factory=list)
    low: float = np.inf
    high: float = -np.inf
    is_binary: bool = True

    def add(self, block: Block) -> None:
        x, condition = block.x, block.condition
        kind = {
            "dtype": x.dtype.name,
            "event_shape": x.shape[1:],
            "has_labels": block.labels is not None,
            "has_missing": block.observed is not None,
            "condition_shape": None if condition is None else condition.shape[1:],
        }
        if self.kind not in (None, kind):
            raise DataError(
                "Examples of one split differ in kind. Expected one dtype, one event shape, and labels, conditions and "
                f"masks in all or in none. Received: {self.kind} first, {kind} later"
            )
        self.kind = kind
        self.sizes.append(len(x))
        values = x if block.observed is None else x[block.observed]
        if values.size:
            self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
            self.is_binary = self.is_binary and bool(((values == 0) | (values == 1)).all())


def _write_split(folder: Path, split: str, shards: Iterator[Block], order: np.random.Generator | None) -> _Found:
    found = _Found()
    for i, block in enumerate(shards):
        found.add(block)
        rows = np.arange(len(block.x)) if order is None else order.permutation(len(block.x))
        _write_shard(folder / _unfinished(split, i), block, rows)
    if not found.sizes:
        raise DataError(f"The split {split!r} is empty. Expected at least one example.")
    return found


def _write_shard(path: Path, block: Block, rows: np.ndarray) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for start in range(0, len(rows), _RECORDS_AT_A_TIME):
            chosen = block.rows(rows[start : start + _RECORDS_AT_A_TIME])
            labels = None if chosen.labels is None else chosen.labels.astype("<i8")
            parts = [part for part in (chosen.x, chosen.observed, chosen.condition, labels) if part is not None]
            for values in zip(*parts, strict=True):
                writer.write(b"".join(value.tobytes() for value in values))


def _unfinished(split: str, number: int) -> str:
    return f"{split}-{number:05d}.unfinished"


def _header(name: str, found: Mapping[str, _Found], declared: set[int]) -> ShardHeader:
    kinds = {split: part.kind for split, part in found.items()}
    kind = next(iter(kinds.values()))
    if kind is None or any(other != kind for other in kinds.values()) or len(declared) > 1:
        raise DataError(
            f"The splits of {name} do not belong together. Expected one type of values, one event shape, labels in all "
            f"or in none, and one number of levels. Received: {kinds}, levels {sorted(declared)}"
        )
    low, high = min(part.low for part in found.values()), max(part.high for part in found.values())
    if low > high:
        raise DataError(f"All values of {name} are missing. Expected at least one observed value.")
    num_levels: int | None = None
    if all(part.is_binary for part in found.values()):
        num_levels = 2
    elif kind["dtype"] == "uint8":
        num_levels = 256
    if declared and kind["dtype"] == "uint8":
        (num_levels,) = declared
        if high >= num_levels:
            raise DataError(f"{name} has the level {high:g}. Expected levels below {num_levels} in every split.")
    return ShardHeader(
        name=name,
        num_levels=num_levels,
        value_range=(low, high) if num_levels is None else (0.0, 1.0),
        num_examples={split: tuple(part.sizes) for split, part in found.items()},
        **kind,
    )


def _described(header: ShardHeader, sources: Mapping[str, ShardSource], condition: str) -> ShardHeader:
    """Returns the header with what is known of the sources besides their values."""
    train = sources["train"]
    has_levels = header.num_levels is not None
    if train.schema is not None and has_levels:  # numbers of a table that happen to be zeros and ones
        header = dataclasses.replace(header, num_levels=None, value_range=(0.0, 1.0))
        has_levels = False
    return dataclasses.replace(
        header,
        channel_added=not has_levels and any(part.channel_added for part in sources.values()),
        condition="" if header.condition_shape is None else condition,
        class_names=train.class_names,
        condition_names=train.condition_names,
        schema=None if train.schema is None else schema_to_dict(train.schema),
    )
