"""Sources of shards: splits, arrays and streams, read piece by piece."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tfvae.data.block import Block
from tfvae.data.contents import clean_labels, clean_values, require_form
from tfvae.data.errors import DataError
from tfvae.data.parts_of_split import checked_condition, checked_observed
from tfvae.data.shard_fields import SPLITS
from tfvae.data.sharded_split import ShardedSplit
from tfvae.data.sparse_split import SparseSplit
from tfvae.data.split import Split
from tfvae.data.split_like import SplitLike
from tfvae.data.splits import Splits
from tfvae.tables.schema import Schema

if TYPE_CHECKING:
    import tensorflow as tf

Examples: TypeAlias = "Split | ShardedSplit | np.ndarray | tf.data.Dataset"

# Parts of the elements of a stream.
_PARTS = ("x", "observed", "condition")
_PIECE_BYTES = 2**16
_MOST_CUT_OFF = 10_000


@dataclasses.dataclass(frozen=True)
class ShardSource:
    """Examples of one split, which are read once.

    Attributes:
        pieces: Yields the examples in pieces. It takes a generator for a random order, or None to keep the order.
        num_levels: As in `Split`, if it is known.
        channel_added: As in `Split`.
        class_names: As in `Split`.
        condition_names: As in `Split`.
        schema: As in `Split`.
    """

    pieces: Callable[[np.random.Generator | None], Iterator[Block]]
    num_levels: int | None = None
    channel_added: bool = False
    class_names: tuple[str, ...] | None = None
    condition_names: tuple[str, ...] | None = None
    schema: Schema | None = None


def make_sources(
    source: "Splits | Examples | ShardSource | Mapping[str, Examples | ShardSource]", name: str, seed: int
) -> dict[str, ShardSource]:
    """Returns the splits to write, by name.

    Raises:
        DataError: If splits have other names, or the elements of a dataset are not batches.
        TypeError: If the examples are of another kind.
    """
    if isinstance(source, np.ndarray):
        return _cut(source, name, seed)
    given: Mapping[str, Examples | ShardSource]
    if isinstance(source, Splits):
        splits = {split: getattr(source, split) for split in SPLITS}
        given = {split: examples for split, examples in splits.items() if examples is not None}
    else:
        given = source if isinstance(source, Mapping) else {"train": source}
    if "train" not in given or not set(given) <= set(SPLITS):
        raise DataError(f"Shards need a split 'train', and may have {SPLITS[1:]}. Received: {list(given)}")
    # Either all splits have masks, or none.
    is_masked = any(isinstance(examples, SplitLike) and examples.has_missing for examples in given.values())
    return {split: _source(examples, f"{name}/{split}", is_masked) for split, examples in given.items()}


def _source(examples: "Examples | ShardSource", name: str, is_masked: bool) -> ShardSource:
    if isinstance(examples, ShardSource):
        return examples
    if isinstance(examples, SparseSplit):
        raise DataError(
            f"{name} has sparse counts, which stay sparse in memory and have no shards. Train on the file itself."
        )
    if isinstance(examples, Split) and examples.weight is not None:
        raise DataError(
            f"{name} has weights, which shards cannot store. Load it without weights, or train on the file."
        )
    if isinstance(examples, Split | ShardedSplit):
        pieces = (
            functools.partial(_of_split, examples, name)
            if isinstance(examples, Split)
            else lambda order: examples.read_blocks()
        )
        return ShardSource(
            functools.partial(_with_masks, pieces) if is_masked and not examples.has_missing else pieces,
            examples.num_levels,
            examples.channel_added,
            examples.class_names,
            examples.condition_names,
            examples.schema,
        )
    if isinstance(examples, np.ndarray):
        return ShardSource(lambda order: _of_array(Block(examples), name, order), channel_added=examples.ndim == 3)
    if hasattr(examples, "element_spec"):
        _require_batches(examples.element_spec, name)
        spec = examples.element_spec[0] if isinstance(examples.element_spec, tuple) else examples.element_spec
        spec = spec["x"] if isinstance(spec, dict) else spec
        return ShardSource(lambda order: _of_stream(examples, name), channel_added=spec.shape.rank == 3)
    raise TypeError(
        f"{name} must come from a split, a NumPy array or a tf.data.Dataset. Received: {type(examples).__name__}"
    )


def _with_masks(
    pieces: Callable[[np.random.Generator | None], Iterator[Block]], order: np.random.Generator | None
) -> Iterator[Block]:
    for block in pieces(order):
        yield block._replace(observed=np.ones(block.x.shape, bool))


def _of_split(split: Split, name: str, order: np.random.Generator | None) -> Iterator[Block]:
    raw = split.raw if split.observed is None else np.where(split.observed, split.raw, np.zeros((), split.raw.dtype))
    yield from _of_array(Block(raw, split.labels, split.condition, split.observed), name, order)


def _cut(x: np.ndarray, name: str, seed: int) -> dict[str, ShardSource]:
    """Cuts one array into three splits."""
    require_form(x.shape, x.dtype, name)
    num_cut = min(len(x) // 10 or 1, _MOST_CUT_OFF)
    if len(x) <= 2 * num_cut:
        raise DataError(
            f"{name} has {len(x)} examples, too few to cut off a validation and a test split. Expected at least 3, "
            "or a mapping of splits."
        )
    chosen = np.random.default_rng(seed).choice(len(x), 2 * num_cut, replace=False)
    parts = {"validation": np.sort(chosen[:num_cut]), "test": np.sort(chosen[num_cut:])}
    chosen = np.sort(chosen)
    added = x.ndim == 3
    train = ShardSource(lambda order: _of_array(Block(x), f"{name}/train", order, without=chosen), channel_added=added)
    return {"train": train} | {
        split: ShardSource(
            lambda order, rows=rows, split=split: _of_rows(x, rows, f"{name}/{split}"),  # type: ignore[misc]
            channel_added=added,
        )
        for split, rows in parts.items()
    }


def _of_array(
    examples: Block, name: str, order: np.random.Generator | None, without: np.ndarray | None = None
) -> Iterator[Block]:
    """Yields runs of neighboring rows, each as long as a disk reads at once, but at least a thousand runs."""
    x = examples.x
    require_form(x.shape, x.dtype, name)
    step = max(1, min(_PIECE_BYTES // x[0].nbytes, len(x) // 1000))
    starts = np.arange(0, len(x), step)
    if order is not None:
        order.shuffle(starts)
    for start in starts:
        rows = np.arange(start, min(start + step, len(x)))
        if without is not None:
            low, high = np.searchsorted(without, [start, start + step])
            rows = np.setdiff1d(rows, without[low:high], assume_unique=True)
        if len(rows):
            found = examples.rows(rows)
            cleaned = clean_values(found.x, name, rows)
            observed = None if found.observed is None else found.observed.reshape(cleaned.shape)
            yield found._replace(x=cleaned, observed=observed)


def _of_rows(x: np.ndarray, rows: np.ndarray, name: str) -> Iterator[Block]:
    require_form(x.shape, x.dtype, name)
    step = max(1, _PIECE_BYTES // x[0].nbytes)
    for start in range(0, len(rows), step):
        chosen = rows[start : start + step]
        yield Block(clean_values(x[chosen], name, chosen))


def _of_stream(dataset: "tf.data.Dataset", name: str) -> Iterator[Block]:
    start = 0
    for batch in dataset.as_numpy_iterator():
        x, y = batch if isinstance(batch, tuple) else (batch, None)
        parts = x if isinstance(x, dict) else {"x": x}
        x, observed, condition = parts["x"], parts.get("observed"), parts.get("condition")
        rows = np.arange(start, start + len(np.atleast_1d(x)))
        start += len(rows)
        if observed is not None:
            observed = checked_observed(observed, np.shape(x), name)
            x = np.where(np.asarray(observed), x, np.zeros((), np.asarray(x).dtype))
        x = clean_values(x, name, rows)
        yield Block(
            x,
            None if y is None else clean_labels(y, len(x), name),
            checked_condition(condition, len(x), name),
            None if observed is None else observed.reshape(x.shape),
        )


def _require_batches(spec: object, name: str) -> None:
    parts = spec if isinstance(spec, tuple) else (spec,)
    if isinstance(parts[0], dict) and "x" in parts[0] and set(parts[0]) <= set(_PARTS):
        parts = (*parts[0].values(), *parts[1:])
        most = len(_PARTS) + 1
    else:
        most = 2
    shapes = [getattr(part, "shape", None) for part in parts]
    # A batch whose size is fixed looks like a single example; taking one for the other would go unnoticed.
    if len(parts) > most or any(shape is None or (shape.rank is not None and shape[:1] != [None]) for shape in shapes):
        raise DataError(
            f"{name} cannot be read from this data set. Expected batches of x, or of (x, y) with y the labels, whose "
            "size may vary, and x an array or a dictionary of x, observed and condition: dataset.map(...) makes pairs "
            "of other elements, dataset.batch(100), without "
            f"drop_remainder, batches of examples. Received: element_spec={spec}"
        )
