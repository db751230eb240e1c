"""Checks of arguments that every package shares."""

import numbers
import operator
import sys
from typing import Any

from tfvae._errors import quoted


def whole_number(value: Any, name: str, *, at_least: int = 1) -> int:
    """The value as a plain int.

    Raises:
        ValueError: when it is not a whole number, below `at_least`, or more than a computer can count.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(value) < at_least:
        raise ValueError(f"{name} is a whole number, at least {at_least}. Received: {quoted(value)}.")
    if operator.index(value) > sys.maxsize:
        raise ValueError(f"{name} is a whole number up to {sys.maxsize}. Received: {quoted(value)}.")
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
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool) and _is_finite(value)
    if (
        not is_number
        or (at_least is not None and value < at_least)
        or (above is not None and value <= above)
        or (at_most is not None and value > at_most)
        or (below is not None and value >= below)
    ):
        raise ValueError(f"{name} is a number, {given}. Received: {quoted(value)}.")
    return operator.index(value) if isinstance(value, numbers.Integral) else float(value)


def _is_finite(value: Any) -> bool:
    return abs(value) <= sys.float_info.max  # math.isfinite takes no whole number of 400 digits
