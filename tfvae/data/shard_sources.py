"""Sources of shards: splits, arrays and streams, read piece by piece."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tfvae.data.contents import clean_labels, clean_values, require_form
from tfvae.data.errors import DataError
from tfvae.data.shard_header import SPLITS
from tfvae.data.sharded_split import ShardedSplit
from tfvae.data.split import Split
from tfvae.data.splits import Splits

if TYPE_CHECKING:
    import tensorflow as tf

# Some examples, and a label for each where there are labels.
Piece: TypeAlias = tuple[np.ndarray, np.ndarray | None]
Examples: TypeAlias = "Split | ShardedSplit | np.ndarray | tf.data.Dataset"

_PIECE_BYTES = 2**16
_MOST_CUT_OFF = 10_000


@dataclasses.dataclass(frozen=True)
class Source:
    """Examples of one split, read once; `pieces` takes a generator for a random order, or None to keep the order."""

    pieces: Callable[[np.random.Generator | None], Iterator[Piece]]
    num_levels: int | None = None
    channel_added: bool = False


def make_sources(source: "Splits | Examples | Mapping[str, Examples]", name: str, seed: int) -> dict[str, Source]:
    """Returns the splits to write, by name.

    Raises:
        DataError: If splits have other names, or the elements of a dataset are not batches.
        TypeError: If the examples are of another kind.
    """
    if isinstance(source, np.ndarray):
        return _cut(source, name, seed)
    given: Mapping[str, Examples]
    if isinstance(source, Splits):
        splits = {split: getattr(source, split) for split in SPLITS}
        given = {split: examples for split, examples in splits.items() if examples is not None}
    else:
        given = source if isinstance(source, Mapping) else {"train": source}
    if "train" not in given or not set(given) <= set(SPLITS):
        raise DataError(f"Shards need a split 'train', and may have {SPLITS[1:]}. Received: {list(given)}")
    return {split: _source(examples, f"{name}/{split}") for split, examples in given.items()}


def _source(examples: Examples, name: str) -> Source:
    if isinstance(examples, Split):
        if examples.condition is not None or examples.has_missing:
            raise DataError(
                f"{name} has conditions or missing values, which shards cannot store. Store the data as an .npz file. "
                f"Received: {examples!r}"
            )
        return Source(
            lambda order: _of_array(examples.raw, examples.labels, name, order),
            examples.num_levels,
            examples.channel_added,
        )
    if isinstance(examples, ShardedSplit):
        return Source(lambda order: examples.read_blocks(), examples.num_levels, examples.header.channel_added)
    if isinstance(examples, np.ndarray):
        return Source(lambda order: _of_array(examples, None, name, order), channel_added=examples.ndim == 3)
    if hasattr(examples, "element_spec"):
        _require_batches(examples.element_spec, name)
        spec = examples.element_spec[0] if isinstance(examples.element_spec, tuple) else examples.element_spec
        return Source(lambda order: _of_stream(examples, name), channel_added=spec.shape.rank == 3)
    raise TypeError(
        f"{name} must come from a split, a NumPy array or a tf.data.Dataset. Received: {type(examples).__name__}"
    )


def _cut(x: np.ndarray, name: str, seed: int) -> dict[str, Source]:
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
    train = Source(lambda order: _of_array(x, None, f"{name}/train", order, without=chosen), channel_added=added)
    return {"train": train} | {
        split: Source(
            lambda order, rows=rows, split=split: _of_rows(x, rows, f"{name}/{split}"),  # type: ignore[misc]
            channel_added=added,
        )
        for split, rows in parts.items()
    }


def _of_array(
    x: np.ndarray, y: np.ndarray | None, name: str, order: np.random.Generator | None, without: np.ndarray | None = None
) -> Iterator[Piece]:
    """Yields runs of neighboring rows, each as long as a disk reads at once, but at least a thousand runs."""
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
            yield clean_values(x[rows], name, rows), None if y is None else y[rows]


def _of_rows(x: np.ndarray, rows: np.ndarray, name: str) -> Iterator[Piece]:
    require_form(x.shape, x.dtype, name)
    step = max(1, _PIECE_BYTES // x[0].nbytes)
    for start in range(0, len(rows), step):
        chosen = rows[start : start + step]
        yield clean_values(x[chosen], name, chosen), None


def _of_stream(dataset: "tf.data.Dataset", name: str) -> Iterator[Piece]:
    start = 0
    for batch in dataset.as_numpy_iterator():
        x, y = batch if isinstance(batch, tuple) else (batch, None)
        rows = np.arange(start, start + len(np.atleast_1d(x)))
        start += len(rows)
        yield clean_values(x, name, rows), None if y is None else clean_labels(y, len(x), name)


def _require_batches(spec: object, name: str) -> None:
    parts = spec if isinstance(spec, tuple) else (spec,)
    shapes = [getattr(part, "shape", None) for part in parts]
    # A batch whose size is fixed looks like a single example; taking one for the other would go unnoticed.
    if len(parts) > 2 or any(shape is None or (shape.rank is not None and shape[:1] != [None]) for shape in shapes):
        raise DataError(
            f"{name} cannot be read from this data set. Expected batches of x, or of (x, y) with y the labels, whose "
            "size may vary: dataset.map(...) makes pairs of other elements, dataset.batch(100), without "
            f"drop_remainder, batches of examples. Received: element_spec={spec}"
        )
