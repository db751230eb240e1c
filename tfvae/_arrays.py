"""Arrays as users have them: NumPy's, masked and sparse ones, data frames and lists, all as plain NumPy arrays."""

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Sparse data above this size are not made dense without asking.
_MOST_DENSE_BYTES = 2**32


def is_array_like(data: Any) -> bool:
    """Whether `plain_array` takes `data`: an array of any library, a sparse matrix, a data frame or a list."""
    return isinstance(data, list | tuple) or hasattr(data, "__array__") or _is_sparse(data) or _is_pandas(data)


def plain_array(data: Any, name: str = "x") -> NDArray[Any]:
    """A NumPy array of the numbers in `data`.

    Sparse matrices become dense. A data frame becomes a floating-point array `[rows, columns]`.

    Args:
        data: an array, a list of numbers, a SciPy sparse matrix or array, or a pandas object.
        name: what messages call it.

    Raises:
        ValueError: If values are masked or missing, if rows differ in length, if a column holds no numbers, or if a
            sparse matrix would fill more than 4 GiB.
    """
    if isinstance(data, np.ma.MaskedArray):
        return _unmasked(data, name)
    if _is_sparse(data):
        return _dense(data, name)
    if _is_pandas(data):
        return _of_frame(data, name) if hasattr(data, "columns") else _of_column(data, name, "series")
    if isinstance(data, list | tuple) and any(isinstance(part, np.ma.MaskedArray) for part in data):
        data = [_unmasked(np.ma.asarray(part), name) for part in data]
    try:
        array = np.asarray(data)
    except ValueError:
        raise ValueError(
            f"{name} is a {type(data).__name__} whose parts differ in shape. Expected an array [N, *event]: give all "
            f"examples one shape and stack them, numpy.stack({name})."
        ) from None
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise ValueError(
            f"{name} has dtype {array.dtype}, which is not a type of real numbers. Where its values are numbers, "
            f"convert it: {name}.astype('float32'). Received: {type(data).__name__} of shape {array.shape}."
        )
    return array


def _unmasked(array: np.ma.MaskedArray, name: str) -> NDArray[Any]:
    num_masked = int(np.ma.count_masked(array))
    if num_masked:
        raise ValueError(
            f"{name} is a masked array with {num_masked} masked values of {array.size}. Missing values are not "
            f"supported: fill them, {name}.filled(value), or leave out the examples that have them."
        )
    return np.asarray(array.data)


def _is_sparse(data: Any) -> bool:
    # Nobody has a sparse matrix before SciPy's module is imported.
    module = sys.modules.get("scipy.sparse")
    return module is not None and bool(module.issparse(data))


def _dense(matrix: Any, name: str) -> NDArray[Any]:
    num_bytes = math.prod(matrix.shape) * matrix.dtype.itemsize
    if num_bytes > _MOST_DENSE_BYTES:
        raise ValueError(
            f"{name} is a sparse matrix of shape {matrix.shape} and dtype {matrix.dtype}, which would take "
            f"{num_bytes / 2**30:.1f} GiB as a dense array. Select columns, convert it to float32, or make dense "
            "batches yourself: tf.data.Dataset.from_generator with x[i : i + batch_size].toarray()."
        )
    return plain_array(matrix.toarray(), name)


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "to_numpy")


def _of_frame(frame: Any, name: str) -> NDArray[Any]:
    if all(isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in frame.dtypes):
        array = frame.to_numpy()
    else:
        columns = [
            _of_column(frame.iloc[:, i], f"Column {str(label)[:80]!r} of {name}", "column")
            for i, label in enumerate(frame.columns)
        ]
        array = np.stack(columns, axis=1)
    return array if array.dtype.kind == "f" else array.astype("float64")


def _of_column(column: Any, name: str, kind: str) -> NDArray[Any]:
    """The numbers of a pandas series, index or array `[N]`."""
    dtype = column.dtype
    if str(dtype) == "category":
        advice = "Encode the categories as numbers, such as pandas.get_dummies(frame, dtype='float32')"
    elif dtype.kind in "Mm":
        advice = "Turn times into numbers, such as (t - t.min()).dt.total_seconds()"
    elif dtype.kind not in "biuf":
        advice = "Convert numbers with astype('float32'), and encode text with pandas.get_dummies(frame)"
    else:
        num_missing = int(column.isna().sum())
        if num_missing and not isinstance(dtype, np.dtype):
            raise ValueError(
                f"{name} has {num_missing} missing values (dtype {dtype}). Missing values are not supported: fill "
                f"them, such as with fillna(0), or leave out the rows with dropna()."
            )
        return np.asarray(column.to_numpy(dtype=_numpy_dtype(dtype)))
    raise ValueError(f"{name} has dtype {dtype}, and a VAE takes numbers. {advice}, or leave out the {kind}.")


def _numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """NumPy's type for a pandas one; Int64 has an attribute for it, others their item size or a subtype."""
    if isinstance(dtype, np.dtype):
        return dtype
    found = getattr(dtype, "numpy_dtype", None) or getattr(dtype, "subtype", None)
    return np.dtype(found if isinstance(found, np.dtype) and found.kind in "biuf" else "float64")
