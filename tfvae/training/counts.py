"""Numbers of things in settings."""

from typing import Any

MAX_COUNT = 2**31 - 1  # TensorFlow counts with 32 bits
COUNT = f"an integer from 1 to {MAX_COUNT}"


def is_count(value: Any) -> bool:
    """Whether a setting is a number of things, at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_COUNT
