"""Numbers of a report as text; without TensorFlow, for what only reads reports."""

from collections.abc import Mapping
from typing import Any


def value_with_error(record: Mapping[str, Any], digits: int = 3) -> str:
    """A record's mean ± its standard error over examples."""
    error = record["standard_error"]
    if record["mean"] is None:
        return "unknown"
    return f"{record['mean']:.{digits}f} ± " + ("unknown" if error is None else f"{error:.{digits}f}")
