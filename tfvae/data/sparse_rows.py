"""Rows of counts in memory, of which only those that are not zero are stored."""

import dataclasses
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tfvae.data.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf

    from tfvae.typing import Tensor

# Whole numbers up to this one are exact in float32.
_LARGEST = 2**24
_CHUNK = 2**20


@dataclasses.dataclass
class SparseRows:
    """A matrix of counts in compressed sparse rows. All splits of a file share one.

    Attributes:
        values: The counts that are stored, row after row, float32.
        columns: The column of each of them, int32.
        ends: Where each row ends, after the 0 where the first begins, int64 `[N + 1]`.
        num_columns: D.
        names: The name of each column, or None.
    """

    values: np.ndarray
    columns: np.ndarray
    ends: np.ndarray
    num_columns: int
    names: tuple[str, ...] | None = None
    _tensors: "tuple[Tensor, Tensor, Tensor] | None" = dataclasses.field(default=None, repr=False)

    @classmethod
    def of(cls, matrix: Any, names: tuple[str, ...] | None = None) -> Self:
        """Makes rows of a sparse matrix of SciPy, whose arrays are kept where their type fits.

        Args:
            matrix: The matrix.
            names: The name of each column, or None.

        Raises:
            DataError: If its columns are too many, or it has no rows or no columns.
        """
        matrix = matrix.tocsr()
        if not matrix.has_canonical_format:
            matrix.sum_duplicates()
        values, columns = as_values(matrix.data), _as_int32(matrix.indices)
        return cls(values, columns, matrix.indptr.astype(np.int64), matrix.shape[1], names)

    def __post_init__(self) -> None:
        if not self.num_rows or not self.num_columns:
            raise DataError(
                "The matrix of counts is empty. Expected a row for each example and a column for each feature. "
                f"Received: shape ({self.num_rows}, {self.num_columns})"
            )

    @property
    def num_rows(self) -> int:
        """The number of rows N."""
        return len(self.ends) - 1

    @property
    def num_bytes(self) -> int:
        """The size in memory."""
        return self.values.nbytes + self.columns.nbytes + self.ends.nbytes

    def with_columns(self, places: np.ndarray) -> "SparseRows":
        """Returns the matrix with some of its columns, in another order.

        Args:
            places: The place of each of them, integers `[K]`.
        """
        new = np.full(self.num_columns, -1, np.int32)
        new[places] = np.arange(len(places), dtype=np.int32)
        columns = new[self.columns]
        names = None if self.names is None else tuple(self.names[place] for place in places)
        if len(places) == self.num_columns:
            return SparseRows(self.values, columns, self.ends, len(places), names)
        is_kept = columns >= 0
        num_kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_kept)])
        return SparseRows(self.values[is_kept], columns[is_kept], num_kept[self.ends], len(places), names)

    def sizes(self) -> np.ndarray:
        """Returns the sum of each row, float64 `[N]`."""
        found = np.zeros(self.num_rows)
        for start in range(0, self.num_rows, _CHUNK):
            stop = min(start + _CHUNK, self.num_rows)
            ends = self.ends[start : stop + 1]
            filled = np.flatnonzero(np.diff(ends))  # `reduceat` gives a row without values that of the next
            if len(filled):
                part = self.values[ends[0] : ends[-1]]
                found[start + filled] = np.add.reduceat(part, ends[filled] - ends[0], dtype=np.float64)
        return found

    def largest(self, rows: np.ndarray) -> float:
        """Returns the largest value of some rows."""
        return max((float(self._of(row)[0].max(initial=0)) for row in rows), default=0.0)

    def dense(self, rows: np.ndarray) -> np.ndarray:
        """Returns some rows as an array, float32 `[B, D]`."""
        found = np.zeros((len(rows), self.num_columns), np.float32)
        for place, row in enumerate(rows):
            values, columns = self._of(row)
            found[place, columns] = values
        return found

    def _of(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the values and the columns of a row."""
        place = slice(self.ends[row], self.ends[row + 1])
        return self.values[place], self.columns[place]

    def tensors(self) -> "tuple[tf.Tensor, tf.Tensor, tf.Tensor]":
        """Returns values, columns and ends as tensors in host memory. The arrays then are views of them."""
        import tensorflow as tf

        if self._tensors is None:
            found = []
            for name in ("values", "columns", "ends"):
                with tf.device("CPU:0"):
                    tensor = tf.convert_to_tensor(getattr(self, name))
                setattr(self, name, np.asarray(memoryview(tensor)))  # in the place of the array that was copied
                tf.constant(np.zeros(1))  # TensorFlow lets go of an array when it makes the next tensor
                found.append(tensor)
            self._tensors = (found[0], found[1], found[2])
        return self._tensors


def are_counts(values: np.ndarray) -> bool:
    """Whether all values are whole numbers from 0."""
    if values.dtype.kind in "bu":
        return True
    chunks = (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))
    if values.dtype.kind == "i":
        return all((chunk >= 0).all() for chunk in chunks)
    return values.dtype.kind == "f" and all(
        (np.isfinite(chunk) & (chunk >= 0) & (chunk == np.floor(chunk))).all() for chunk in chunks
    )


def as_values(values: np.ndarray) -> np.ndarray:
    """Returns counts as float32, in the memory of numbers of 32 bits if it may be overwritten.

    Raises:
        DataError: If a count is too large for float32.
    """
    if values.size and values.max() > _LARGEST:
        raise DataError(
            f"Counts must be at most {_LARGEST:,}, because larger ones are rounded in float32. Divide large counts, or "
            f"leave their columns out. Received: a count of {values.max():,}"
        )
    if values.dtype == np.float32:
        return values
    if values.dtype.itemsize != 4 or not values.flags.writeable or not values.flags.c_contiguous:
        return values.astype(np.float32)
    found = values.view(np.float32)
    for start in range(0, len(values), _CHUNK):
        place = slice(start, start + _CHUNK)
        found[place] = values[place].copy()
    return found


def _as_int32(columns: np.ndarray) -> np.ndarray:
    return columns if columns.dtype == np.int32 else columns.astype(np.int32)
