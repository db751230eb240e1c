"""One split of counts in memory, sparse: batches are made dense one at a time."""

import dataclasses
import functools
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from tfvae._checks import whole_number
from tfvae.data.errors import DataError
from tfvae.data.fixed_draw import FixedDraw
from tfvae.data.parts_of_split import checked_condition
from tfvae.data.requirements import checked_batch_size, choose_draw
from tfvae.data.sparse_rows import SparseRows
from tfvae.data.split import Split
from tfvae.data.split_like import SplitLike

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SparseSplit(SplitLike):
    """Rows of counts, such as the cells of a single-cell experiment; `load` makes it.

    It does what a `Split` does, without the arrays `raw` and `x`: `take(n)` returns the first n examples as a `Split`.
    The condition of each example ends in the size of its row, the sum of its counts, which is at least 1. Likelihoods
    of counts take it as an offset.

    Args:
        matrix: The rows of all splits.
        rows: The rows of this split, in order.
        name: The name that messages use, such as "cells/train".
        labels: One integer for each example, -1 if unknown, or None.
        class_names: The name of each class of the labels, in the order of their numbers, or None.
        given: What a conditional model is given besides the size: numbers (N, K), or None.
        condition_names: The name of each class, if these are one-hot vectors of classes, or None.
    """

    matrix: SparseRows
    rows: np.ndarray
    name: str = "counts"
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    given: np.ndarray | None = None
    condition_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        given = checked_condition(self.given, len(self.rows), self.name)
        if given is not None and given.ndim != 2:
            raise DataError(
                f"The conditions of {self.name}, whose rows are counts, must be classes, or a vector of numbers for "
                f"each row. Received: conditions of shape {given.shape}"
            )
        object.__setattr__(self, "given", given)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        labels = "labels" if self.has_labels else "no labels"
        return f"SparseSplit({self.name!r}: {len(self)} examples of shape {self.event_shape}, counts, {labels})"

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return (self.matrix.num_columns,)

    @property
    def column_names(self) -> tuple[str, ...] | None:
        """The name of each column, such as a gene, or None if the file has no names."""
        return self.matrix.names

    @property
    def num_levels(self) -> None:
        """None: counts have no largest value."""
        return

    @functools.cached_property
    def value_range(self) -> tuple[float, float]:
        """0, and the largest count."""
        return 0.0, self.matrix.largest(self.rows)

    @property
    def share_of_zeros(self) -> float:
        """The share of the counts that are zero."""
        stored = (self.matrix.ends[self.rows + 1] - self.matrix.ends[self.rows]).sum()
        return float(1.0 - stored / (len(self) * self.matrix.num_columns))

    @property
    def channel_added(self) -> bool:
        """False."""
        return False

    @property
    def has_labels(self) -> bool:
        """Whether there is a label for each example."""
        return self.labels is not None

    @functools.cached_property
    def sizes(self) -> np.ndarray:
        """The sum of the counts of each example, at least 1, float32 (N,)."""
        return np.maximum(self.matrix.sizes()[self.rows], 1.0).astype(np.float32)

    @functools.cached_property
    def condition(self) -> np.ndarray:
        """What a model is given with each example, float32 (N, K + 1): `given`, and the size of its row."""
        size = self.sizes[:, np.newaxis]
        return size if self.given is None else np.concatenate([self.given, size], axis=1)

    @property
    def condition_shape(self) -> tuple[int, ...]:
        """The shape of one condition."""
        return (1 + (0 if self.given is None else self.given.shape[1]),)

    def with_condition(self, condition: np.ndarray, names: tuple[str, ...] | None) -> Self:
        """Returns the split with a condition besides the size."""
        return dataclasses.replace(self, given=condition, condition_names=names)

    def with_columns(self, places: np.ndarray) -> Self:
        """Returns the split with some of its columns, in another order. The size of a row is the sum of these.

        Args:
            places: The place of each of them, integers `[K]`.
        """
        return dataclasses.replace(self, matrix=self.matrix.with_columns(places))

    def take(self, n: int) -> Split:
        """Returns the first n examples as a dense split, or all of them where there are fewer.

        Raises:
            ValueError: If n < 1.
        """
        n = min(whole_number(n, "n"), len(self))
        return Split(
            self.matrix.dense(self.rows[:n]),
            None if self.labels is None else self.labels[:n],
            name=self.name if n == len(self) else f"{self.name}[:{n}]",
            condition=self.condition[:n],
            class_names=self.class_names,
            condition_names=self.condition_names,
        )

    def _with_fixed(self, draw: FixedDraw) -> Self:
        raise DataError(f"{self.name} has counts, to which no noise is added. Received: {draw.kind}")

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
    ) -> "tf.data.Dataset":
        """Makes batches as `Split.batches` does, with x dense, float32 [B, D].

        Raises:
            ValueError: If the batch size or the combination of arguments is invalid.
            DataError: If the data do not allow what was asked.
        """
        from tfvae.data.array_batches import make_batches, on_host
        from tfvae.data.finishing import Stored
        from tfvae.data.orders import order_of
        from tfvae.data.sparse_gather import SparseExamples

        if choose_draw(self, binarize, dequantize, labels) is not None:
            raise DataError(f"{self.name} has counts, to which no noise is added. Leave binarize=None.")
        batch_size = checked_batch_size(batch_size, len(self), drop_remainder, self.name)
        order = order_of(self, batch_size, shuffle, labels, num_labelled)
        stored = Stored(
            SparseExamples.of(self.matrix, self.rows),
            on_host(self.condition),
            labels=on_host(self.labels) if labels and self.labels is not None else None,
        )
        return make_batches(stored, None, batch_size, order=order, seed=seed, draw=None, drop_remainder=drop_remainder)
