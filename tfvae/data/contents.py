"""Rules that turn any numeric array into what a `Split` stores: uint8 levels or float32 values, channels last."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfvae._arrays import plain_array
from tfvae._errors import quoted
from tfvae.data.errors import DataError


def clean_arrays(arrays: Mapping[str, np.ndarray], source: str) -> tuple[dict[str, np.ndarray], int | None]:
    """Brings the arrays of one data set to a common form.

    Args:
        arrays: The arrays, each with the examples along the first axis, by the name that messages use.
        source: Where they were read from, for messages.

    Returns:
        The arrays under the same keys, all uint8 or all float32 and of one event shape, and their number of levels: 2
        where every value is 0 or 1, 256 for other uint8 data, None for other floats.

    Raises:
        DataError: If no rule covers the values, types or shapes.
    """
    cleaned = _binary_floats_as_levels({key: clean_values(array, f"{source} ({key})") for key, array in arrays.items()})
    _require_one_kind(cleaned, source)
    if any(array.dtype != np.uint8 for array in cleaned.values()):
        return cleaned, None
    return cleaned, 2 if all(array.max() <= 1 for array in cleaned.values()) else 256


def is_image(
    event_shape: tuple[int, ...], num_levels: int | None, value_range: tuple[float, float], channel_added: bool
) -> bool:
    """Whether an example is certainly an image: levels (H, W, C), or floats in [0, 1] stored with 1, 3 or 4 channels.

    Floats (N, H, W) may be N gray images or N series of H steps.
    """
    if len(event_shape) != 3 or num_levels is not None:
        return len(event_shape) == 3
    return not channel_added and event_shape[-1] in (1, 3, 4) and value_range[0] >= 0 and value_range[1] <= 1


def clean_labels(labels: np.ndarray, num_examples: int, source: str) -> np.ndarray:
    """Returns class numbers as int64 [N]. Text is for `tfvae.data.classes.class_numbers`.

    Raises:
        DataError: If there is not one integer for each example.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (num_examples,) or labels.dtype.kind not in "bui":
        raise DataError(
            f"The labels in {source} cannot be used. Expected one integer class number for each example, shape "
            f"({num_examples},). Store them so, or leave them out. Received: shape {labels.shape}, dtype {labels.dtype}"
        )
    return labels.astype(np.int64)


def clean_values(array: np.ndarray, source: str, rows: np.ndarray | None = None) -> np.ndarray:
    """Returns examples as uint8 or finite float32, with a channel axis where (N, H, W) images lack one.

    Args:
        array: The examples, along the first axis.
        source: Where they were read from, for messages.
        rows: The position of each example in the whole data, for messages, where `array` is a part of them.

    Raises:
        DataError: If no rule covers the values, types or shapes.
    """
    array = plain_values(array, source)
    require_form(array.shape, array.dtype, source)
    array = np.ascontiguousarray(_clean_values(array, source, rows))
    return array[..., np.newaxis] if array.ndim == 3 else array


def plain_values(array: Any, source: str) -> NDArray[Any]:
    """Returns a plain array of a masked or sparse one, or of a data frame.

    Raises:
        DataError: If values are masked or missing, or columns are not numbers.
    """
    if type(array) is np.ndarray:  # of any dtype: the rules here have messages of their own
        return array
    try:
        return plain_array(array, source)
    except ValueError as error:
        raise DataError(str(error)) from error


def require_form(shape: tuple[int, ...], dtype: np.dtype[Any], source: str) -> None:
    """Raises DataError for a shape or type that no rule covers; looks at no value."""
    if dtype.names is not None:
        raise DataError(
            f"{source} has named fields, {quoted(dtype.names)}. Expected plain numbers, those of an example along the "
            "other axes; numpy.lib.recfunctions.structured_to_unstructured(x) makes them."
        )
    if len(shape) < 2:
        raise DataError(
            f"{source} has no event axis. Expected (N, D) vectors, (N, H, W) or (N, H, W, C) images, or more axes, "
            f"with the N examples along the first; reshape single numbers to (N, 1). Received: shape={shape}"
        )
    if 0 in shape:
        raise DataError(
            f"{source} is empty. Expected at least one example and no axis of length zero; check how the array was "
            f"made. Received: shape={shape}"
        )
    if dtype.kind not in "buif":
        raise DataError(
            f"{source} has dtype {dtype}, which is not a plain number. Expected uint8, bool, or a float type; "
            "convert the array with numpy's astype and save it again."
        )


def _clean_values(array: np.ndarray, source: str, rows: np.ndarray | None) -> np.ndarray:
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return array
    if kind == "b":
        return array.view(np.uint8)
    if kind in "ui":
        low, high = array.min(), array.max()
        if low < 0 or high > 1:
            raise DataError(
                f"{source} has integers of type {array.dtype} from {low} to {high}. Expected uint8 for levels "
                f"0..255, zeros and ones, or floats. {_conversion(array.dtype, low, high)}"
            )
        return array.astype(np.uint8)
    return _finite_float32(array, source, rows)


def _conversion(dtype: np.dtype[Any], low: int, high: int) -> str:
    """Advice for integers; an `astype("uint8")` would wrap round those above 255."""
    if low >= 0 and high <= 255:
        return "Store the array with astype('uint8')."
    if dtype == np.uint16:
        return "Scale 16-bit images with x.astype('float32') / 65535, store counts with astype('float32')."
    return "Store counts and other numbers with astype('float32')."


def _binary_floats_as_levels(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Floats that are all zeros and ones, in every split, are binary data: a density on them has no upper bound."""
    if all(array.dtype == np.float32 and np.isin(array, (0.0, 1.0)).all() for array in arrays.values()):
        return {key: array.astype(np.uint8) for key, array in arrays.items()}
    return arrays


def _finite_float32(array: np.ndarray, source: str, rows: np.ndarray | None) -> np.ndarray:
    with np.errstate(over="ignore"):
        values = array.astype(np.float32, copy=False)
    finite = np.isfinite(values)
    if finite.all():
        return values
    first = tuple(int(i) for i in np.unravel_index(np.argmin(finite), finite.shape))
    count = f"{int(finite.size - finite.sum())} values that are not finite in float32, the first at index {first}"
    if rows is not None:
        count = f"a value that is not finite in float32, at index {(int(rows[first[0]]), *first[1:])}"
    raise DataError(
        f"{source} has {count}: {array[first]}. Expected finite numbers only; leave out the examples with such values."
        + (
            " If NaN is a missing value, or fills up series that end earlier, load the data with missing='nan' "
            "(--missing nan)."
            if np.isnan(array[first])
            else ""
        )
    )


def _require_one_kind(arrays: Mapping[str, np.ndarray], source: str) -> None:
    shapes = {key: array.shape[1:] for key, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(
            f"The splits of {source} differ in event shape. Expected one shape in every split; resize or pad them "
            f"alike. Received: {shapes}"
        )
    kinds = {key: str(array.dtype) for key, array in arrays.items()}
    if len(set(kinds.values())) > 1:
        raise DataError(
            f"The splits of {source} mix levels and floats, which need different scaling. Expected all uint8 or all "
            f"float; save them alike. Received: {kinds}"
        )
