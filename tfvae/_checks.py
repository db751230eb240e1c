"""Checks of arguments that every package shares."""

import math
import numbers
import operator
import reprlib
from typing import Any

_MOST_CHARACTERS = 200


def whole_number(value: Any, name: str, *, at_least: int = 1) -> int:
    """The value as a plain int.

    Raises:
        ValueError: when it is not a whole number, or below `at_least`.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(value) < at_least:
        raise ValueError(f"{name} is a whole number, at least {at_least}. Received: {_short(value)}.")
    return operator.index(value)


def number(
    value: Any,
    name: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> int | float:
    """The value as a plain int or float; NumPy's numbers too.

    Raises:
        ValueError: when it is not a finite number, or beyond a limit.
    """
    limits = {"at least": at_least, "above": above, "at most": at_most, "below": below}
    given = " and ".join(f"{words} {limit:g}" for words, limit in limits.items() if limit is not None)
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    if (
        not is_number
        or (at_least is not None and value < at_least)
        or (above is not None and value <= above)
        or (at_most is not None and value > at_most)
        or (below is not None and value >= below)
    ):
        raise ValueError(f"{name} is a number, {given}. Received: {_short(value)}.")
    return operator.index(value) if isinstance(value, numbers.Integral) else float(value)


def _short(value: Any) -> str:
    """What a message shows of a value, which may be a list of a million numbers."""
    return reprlib.repr(value) if isinstance(value, list | tuple | dict | set) else repr(value)[:_MOST_CHARACTERS]
