"""Missing values of data in files: NaN, or False in an array of their own."""

from collections.abc import Mapping

import numpy as np

from tfvae.data.errors import DataError

NAN = "nan"


def without_nan(array: np.ndarray) -> np.ndarray:
    """Returns an array with zeros in the place of NaN."""
    return np.where(np.isnan(array), np.zeros((), array.dtype), array) if array.dtype.kind == "f" else array


def with_zeros(arrays: Mapping[str, np.ndarray], observed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays of each split with zeros in the place of missing values."""
    return {
        key: np.where(observed[key], array, np.zeros((), array.dtype)) if key in observed else array
        for key, array in arrays.items()
    }


def observed_of(
    arrays: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray], missing: str | None, source: str
) -> dict[str, np.ndarray]:
    """Returns where the values of the arrays of each split are observed; nothing if no value can be missing.

    Args:
        arrays: Data of each split.
        masks: Arrays of observed values of each split, if `missing` is the name of an array.
        missing: As for `load`.
        source: Where they were read from, for messages.

    Raises:
        DataError: If a mask does not have the shape of the data, or has other values than zeros and ones.
    """
    if missing is None:
        return {}
    if missing == NAN:
        return {
            key: ~np.isnan(array) if array.dtype.kind == "f" else np.ones(array.shape, bool)
            for key, array in arrays.items()
        }
    return {key: _as_mask(masks[key], array.shape, f"{source} ({key})") for key, array in arrays.items()}


def _as_mask(mask: np.ndarray, shape: tuple[int, ...], source: str) -> np.ndarray:
    if mask.shape != shape or mask.dtype.kind not in "buif" or not np.isin(mask, (0, 1)).all():
        raise DataError(
            f"The mask in {source} must be boolean, False at missing values, and have the shape of the data. "
            f"Expected: {shape}. Received: shape {mask.shape}, dtype {mask.dtype}"
        )
    return mask.astype(bool)


def with_nan(x: np.ndarray, observed: np.ndarray | None) -> np.ndarray:
    """Returns floating-point data with NaN at missing values, as models with `missing="nan"` take them."""
    return x if observed is None else np.where(observed, x, np.asarray(np.nan, x.dtype))


def with_means(x: np.ndarray) -> np.ndarray:
    """Returns data `[N, *event]` with the means of the observed values in the place of NaN."""
    missing = np.isnan(x)
    if not missing.any():
        return x
    counts = np.maximum((~missing).sum(axis=0), 1)
    return np.where(missing, (x.sum(axis=0, dtype=np.float64, where=~missing) / counts).astype(x.dtype), x)
