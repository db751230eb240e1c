"""The one way in which a test's parameters wait for `make test-slow`."""

from collections.abc import Iterable
from typing import Any

import pytest


def slow_except(values: Iterable[Any], *fast: Any) -> list[Any]:
    """The values for `pytest.mark.parametrize`, all of them slow except some.

    Choose those so that each kind of fault has one: each way to be built, each path through the code.

    Args:
        values: of one argument, or a tuple for several.
        fast: the values that run always.
    """
    values = list(values)
    unknown = [value for value in fast if value not in values]
    if unknown:
        raise ValueError(f"There are no such values. Received: fast={unknown}")
    arguments = [value if isinstance(value, tuple) else (value,) for value in values]
    return [
        pytest.param(*each, marks=() if value in fast else pytest.mark.slow)
        for value, each in zip(values, arguments, strict=True)
    ]
