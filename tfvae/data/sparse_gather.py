"""Batches of sparse rows in TensorFlow."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfvae.data.sparse_rows import SparseRows
from tfvae.typing import Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class SparseExamples:
    """Examples of a split that are some rows of a sparse matrix, in the place of a tensor `[N, D]`.

    Attributes:
        values: The counts that are stored, row after row.
        columns: The column of each of them.
        ends: Where each row ends, after the 0 where the first begins.
        num_columns: D.
        rows: The rows of the split, int64 `[N]`.
    """

    values: Tensor
    columns: Tensor
    ends: Tensor
    num_columns: int
    rows: Tensor

    @classmethod
    def of(cls, matrix: SparseRows, rows: np.ndarray) -> "SparseExamples":
        """Makes the examples, in host memory."""
        with tf.device("CPU:0"):
            return cls(*matrix.tensors(), matrix.num_columns, tf.convert_to_tensor(rows, tf.int64))

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    @property
    def shape(self) -> tf.TensorShape:
        """`[N, D]`."""
        return tf.TensorShape([len(self), self.num_columns])

    def take(self, examples: Tensor) -> Tensor:
        """Returns some examples as a tensor, float32 `[B, D]`, for their indices `[B]`."""
        rows = tf.gather(self.rows, examples)
        starts = tf.gather(self.ends, rows)
        num = tf.size(rows, tf.int64)
        lengths = tf.gather(self.ends, rows + 1) - starts
        row_of = tf.repeat(tf.range(num, dtype=tf.int64), lengths)  # of each stored value of the batch
        first = tf.cumsum(lengths, exclusive=True)
        places = tf.range(tf.reduce_sum(lengths)) + tf.gather(starts - first, row_of)
        where = tf.stack([row_of, tf.cast(tf.gather(self.columns, places), tf.int64)], axis=1)
        return tf.scatter_nd(where, tf.gather(self.values, places), [num, self.num_columns])
