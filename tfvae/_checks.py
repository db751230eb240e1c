"""Checks of arguments that every package shares."""

import operator
from typing import Any


def whole_number(value: Any, name: str, *, at_least: int = 1) -> int:
    """The value as a plain int.

    Raises:
        ValueError: when it is not a whole number, or below `at_least`.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(value) < at_least:
        raise ValueError(f"{name} is a whole number, at least {at_least}. Received: {value!r}.")
    return operator.index(value)
