"""Formatting of the numbers in reports, without TensorFlow."""

import sys
from collections.abc import Mapping
from typing import Any

from tfvae._errors import quoted


def number(record: Mapping[str, Any], key: str) -> float:
    """Returns the number with a key of a record.

    Raises:
        ValueError: If the value is not a number, as in an edited file.
    """
    value = record[key]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (isinstance(value, int) and abs(value) > sys.float_info.max):
        raise ValueError(f"it has no number under {key!r}. Received: {key}={quoted(value)}")
    return value


def value_with_error(record: Mapping[str, Any], digits: int = 3) -> str:
    """Returns the mean of a record ± its standard error over examples."""
    error = None if record["standard_error"] is None else number(record, "standard_error")
    if record["mean"] is None:
        return "unknown"
    return f"{number(record, 'mean'):.{digits}f} ± " + ("unknown" if error is None else f"{error:.{digits}f}")
