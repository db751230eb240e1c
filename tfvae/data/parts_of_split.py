"""Checks of what goes with the examples of a split besides their labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfvae.data.errors import DataError


def checked_condition(condition: Any, num_examples: int, name: str) -> np.ndarray | None:
    """Returns conditions as float32 `[N, *shape]`.

    Raises:
        DataError: If there is not one condition of finite numbers for each example.
    """
    if condition is None:
        return None
    found = np.asarray(condition)
    if found.ndim < 2 or len(found) != num_examples or found.dtype.kind not in "buif" or not np.isfinite(found).all():
        raise DataError(
            f"The conditions of {name} do not fit its examples. Expected finite numbers of shape ({num_examples}, "
            f"*shape): reshape single numbers to ({num_examples}, 1), and make one-hot vectors of classes. "
            f"Received: condition.shape={found.shape}, condition.dtype={found.dtype}"
        )
    return found.astype(np.float32, copy=False)


def checked_observed(observed: Any, shape: tuple[int, ...], name: str) -> np.ndarray | None:
    """Returns a mask of observed values.

    Raises:
        DataError: If it is not boolean and of the shape of the examples, or all values are missing.
    """
    if observed is None:
        return None
    found = np.asarray(observed)
    if found.shape != shape or found.dtype != bool:
        raise DataError(
            f"The mask of {name} must be boolean and of the shape of its examples, {shape}, False at missing values. "
            f"Received: observed.shape={found.shape}, observed.dtype={found.dtype}"
        )
    if not found.any():
        raise DataError(f"All values of {name} are missing. Expected at least one observed value.")
    return found


def checked_ids(ids: Any, num_examples: int, name: str) -> np.ndarray | None:
    """Returns the identifiers of the examples `[N]`.

    Raises:
        DataError: If there is not one for each example.
    """
    found = None if ids is None else np.asarray(ids)
    if found is not None and found.shape != (num_examples,):
        raise DataError(
            f"The ids of {name} do not fit its examples. Expected one for each, shape ({num_examples},). "
            f"Received: ids.shape={found.shape}"
        )
    return found


def checked_weight(weight: Any, num_examples: int, name: str) -> np.ndarray | None:
    """Returns the weights of the examples as float32 `[N]`.

    Raises:
        DataError: If there is not one number of at least 0 for each example.
    """
    if weight is None:
        return None
    found = np.asarray(weight)
    fits = found.shape == (num_examples,) and found.dtype.kind in "buif"
    if not fits or not (np.isfinite(found) & (found >= 0)).all():
        raise DataError(
            f"The weights of {name} do not fit its examples. Expected a number of at least 0 for each, shape "
            f"({num_examples},). Received: weight.shape={found.shape}, weight.dtype={found.dtype}"
            + (f", values from {found.min()} to {found.max()}" if fits else "")
        )
    return found.astype(np.float32, copy=False)


def checked_names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Returns the names of classes as a tuple of strings."""
    return None if names is None else tuple(map(str, names))
