"""Sparse matrices in files of `scipy.sparse.save_npz`."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from tfvae._arrays import plain_array
from tfvae.data.errors import DataError

_PARTS = ({"indices", "indptr"}, {"row", "col"}, {"coords"}, {"offsets"})


def is_sparse_matrix(keys: Collection[str]) -> bool:
    """Whether an `.npz` file with arrays of these names contains a sparse matrix."""
    return {"format", "shape", "data"} <= set(keys) and any(parts <= set(keys) for parts in _PARTS)


def read_sparse_matrix(path: Path) -> np.ndarray:
    """Reads the matrix in a file, dense `[N, D]`.

    Raises:
        DataError: If it is damaged, or would fill too much memory as a dense array.
    """
    try:
        return plain_array(load_sparse_matrix(path), str(path))
    except ValueError as error:
        raise DataError(str(error)) from error


def load_sparse_matrix(path: Path) -> Any:
    """Reads the matrix in a file, sparse.

    Raises:
        DataError: If it is damaged.
    """
    import scipy.sparse

    try:
        matrix = scipy.sparse.load_npz(path)
        if hasattr(matrix, "check_format"):
            matrix.check_format(full_check=True)  # positions outside the matrix would be written to
    except (ValueError, TypeError, NotImplementedError, IndexError, KeyError) as error:
        raise DataError(
            f"{path} has a sparse matrix that cannot be read. Save it again with scipy.sparse.save_npz, or save "
            f"matrix.toarray() with numpy.save. Received from SciPy: {error}"
        ) from error
    return matrix
