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


def checked_names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Returns the names of classes as a tuple of strings."""
    return None if names is None else tuple(map(str, names))
