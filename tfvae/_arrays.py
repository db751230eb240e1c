"""Conversion of arrays, masked arrays, sparse matrices, data frames and lists to NumPy arrays."""

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Sparse data that exceed this size as a dense array are rejected.
_MAX_DENSE_BYTES = 2**32


def is_array_like(data: Any) -> bool:
    """Whether `plain_array` accepts `data`: an array of any library, a sparse matrix, a data frame or a list."""
    return isinstance(data, list | tuple) or hasattr(data, "__array__") or _is_sparse(data) or _is_pandas(data)


def plain_array(data: Any, name: str = "x") -> NDArray[Any]:
    """Converts `data` to a NumPy array of numbers.

    Sparse matrices are converted to dense arrays, and data frames to floating-point arrays `[rows, columns]`.

    Args:
        data: An array, a list of numbers, a SciPy sparse matrix or array, or a pandas object.
        name: Name of the data in error messages.

    Raises:
        ValueError: If values are masked or missing, rows differ in length, a column does not contain numbers, or a
            sparse matrix would need more than 4 GiB as a dense array.
    """
    if isinstance(data, np.ma.MaskedArray):
        return _unmasked(data, name)
    if _is_sparse(data):
        return _dense(data, name)
    if _is_pandas(data):
        return _frame_array(data, name) if hasattr(data, "columns") else _column_array(data, name, "series")
    if isinstance(data, list | tuple) and any(isinstance(part, np.ma.MaskedArray) for part in data):
        data = [_unmasked(np.ma.asarray(part), name) for part in data]
    try:
        array = np.asarray(data)
    except ValueError:
        raise ValueError(
            f"{name} is a {type(data).__name__} whose parts differ in shape. Expected an array [N, *event]. Convert "
            f"all examples to one shape and stack them with numpy.stack({name})."
        ) from None
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise ValueError(
            f"{name} has dtype {array.dtype}, which is not a real numeric dtype. If its values are numbers, convert "
            f"it with {name}.astype('float32'). Received: a {type(data).__name__} of shape {array.shape}"
        )
    return array


def _unmasked(array: np.ma.MaskedArray, name: str) -> NDArray[Any]:
    num_masked = int(np.ma.count_masked(array))
    if num_masked:
        raise ValueError(
            f"{name} is a masked array, and {num_masked} of its {array.size} values are masked. Fill them with "
            f"{name}.filled(value), or remove the examples that contain them. Missing values of x may be NaN in "
            "a model with missing='nan' (docs/missing-data.md)."
        )
    return np.asarray(array.data)


def _is_sparse(data: Any) -> bool:
    # Without an import of scipy.sparse, there are no sparse matrices.
    module = sys.modules.get("scipy.sparse")
    return module is not None and bool(module.issparse(data))


def _dense(matrix: Any, name: str) -> NDArray[Any]:
    num_bytes = math.prod(matrix.shape) * matrix.dtype.itemsize
    if num_bytes > _MAX_DENSE_BYTES:
        raise ValueError(
            f"{name} is a sparse matrix of shape {matrix.shape} and dtype {matrix.dtype}, which would need "
            f"{num_bytes / 2**30:.1f} GiB as a dense array. Select columns, convert it to float32, or create dense "
            "batches with tf.data.Dataset.from_generator and x[i : i + batch_size].toarray()."
        )
    return plain_array(matrix.toarray(), name)


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "to_numpy")


def _frame_array(frame: Any, name: str) -> NDArray[Any]:
    if all(isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in frame.dtypes):
        array = frame.to_numpy()
    else:
        columns = [
            _column_array(frame.iloc[:, i], f"Column {str(label)[:80]!r} of {name}", "column")
            for i, label in enumerate(frame.columns)
        ]
        array = np.stack(columns, axis=1)
    return array if array.dtype.kind == "f" else array.astype("float64")


def _column_array(column: Any, name: str, kind: str) -> NDArray[Any]:
    """Returns the numbers of a pandas series, index or array `[N]`."""
    dtype = column.dtype
    if str(dtype) == "category":
        advice = "Encode the categories as numbers, such as pandas.get_dummies(frame, dtype='float32')"
    elif dtype.kind in "Mm":
        advice = "Convert times to numbers, such as (t - t.min()).dt.total_seconds()"
    elif dtype.kind not in "biuf":
        advice = "Convert numbers with astype('float32'), and encode text with pandas.get_dummies(frame)"
    else:
        num_missing = int(column.isna().sum())
        if num_missing and not isinstance(dtype, np.dtype):
            raise ValueError(
                f"{name} has {num_missing} missing values (dtype {dtype}). Fill them, for example with fillna(0), or "
                "remove the rows with dropna(). Missing values of x may be NaN in a model with missing='nan' "
                "(docs/missing-data.md): to_numpy('float32', na_value=numpy.nan) makes them."
            )
        return np.asarray(column.to_numpy(dtype=_numpy_dtype(dtype)))
    raise ValueError(f"{name} has dtype {dtype}, but a VAE requires numbers. {advice}, or remove the {kind}.")


def _numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """Returns the NumPy dtype of a pandas dtype.

    Some pandas dtypes have an attribute `numpy_dtype`, and others have a `subtype`.
    """
    if isinstance(dtype, np.dtype):
        return dtype
    found = getattr(dtype, "numpy_dtype", None) or getattr(dtype, "subtype", None)
    return np.dtype(found if isinstance(found, np.dtype) and found.kind in "biuf" else "float64")
