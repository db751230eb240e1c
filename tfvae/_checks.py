"""Argument checks that all packages share."""

import numbers
import operator
import sys
from typing import Any

from tfvae._errors import quoted

SUPPORT_ROUNDING = 3e-7
"""The maximum rounding error in float32 of values that were scaled to [0, 1], allowed at the bounds of a support."""


def whole_number(value: Any, name: str, *, at_least: int = 1) -> int:
    """Returns the value as a Python int.

    Raises:
        ValueError: If the value is not an integer, or is below `at_least` or above `sys.maxsize`.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(value) < at_least:
        raise ValueError(f"`{name}` must be an integer of at least {at_least}. Received: {name}={quoted(value)}")
    if operator.index(value) > sys.maxsize:
        raise ValueError(f"`{name}` must be an integer of at most {sys.maxsize}. Received: {name}={quoted(value)}")
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
    """Returns the value as a Python int or float; NumPy numbers are accepted.

    Raises:
        ValueError: If the value is not a finite number, or is outside the limits.
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
        raise ValueError(f"`{name}` must be a finite number, {given}. Received: {name}={quoted(value)}")
    return operator.index(value) if isinstance(value, numbers.Integral) else float(value)


def _is_finite(value: Any) -> bool:
    return abs(value) <= sys.float_info.max  # math.isfinite fails for integers beyond float64


def wrong_event_shape(shape: tuple[int | None, ...], expected: tuple[int, ...]) -> str:
    """Returns the message for examples of another shape than those of a model."""
    advice = (
        "Add the channel axis with x[..., None]."
        if tuple(expected) == (*shape, 1)
        else "The first axis of x is the batch axis, which .batch(n) adds to the elements of a tf.data.Dataset."
    )
    return (
        f"x must have the event shape of the decoder's distribution, {tuple(expected)}. {advice} "
        f"Received: x of event shape {shape}"
    )
